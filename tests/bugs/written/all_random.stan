// all_random
data {
  int<lower=1> n;
  array[n] int<lower=0> J;
  int<lower=1> p;
  array[n, max(J)] vector[p] x;
  vector[p] mu0;  // the model's default: 0.0
  cov_matrix[p] Sigma0;  // the model's default: 1e4 * identity_matrix(p)
  real<lower=0.0> q;  // the model's default: 0.001
  real<lower=0.0> q_beta;  // the model's default: 0.001
  real<lower=0.0> r;  // the model's default: 1000.0
  real<lower=0.0> r_beta;  // the model's default: 1000.0
  array[n, max(J)] real y;
}
parameters {
  array[n] vector[p] beta;
  vector[p] mu;
  real<lower=0.0> sigma2_beta;
  real<lower=-1.0 / fmax(p - 1.0, 1.0), upper=1.0> rho;
  real<lower=0.0> sigma2;
}
transformed parameters {
  matrix[p, p] Sigma;
  matrix[p, p] R;
  R = add_diag(rep_matrix(rho, p, p), 1.0 - rho);
  Sigma = sigma2_beta * R;
}
model {
  for (i in 1:n) {
    for (j in 1:J[i]) {
      y[i, j] ~ normal(x[i, j]' * beta[i], sqrt(sigma2));
    }
  }
  for (i in 1:n) {
    beta[i] ~ multi_normal(mu, Sigma);
  }
  mu ~ multi_normal(mu0, Sigma0);
  sigma2_beta ~ inv_gamma(q_beta, inv(r_beta));
  rho ~ uniform(-1.0 / fmax(p - 1.0, 1.0), 1.0);
  sigma2 ~ inv_gamma(q, inv(r));
}
