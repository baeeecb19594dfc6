// free_covariance
data {
  int<lower=1> n;
  array[n] int<lower=0> J;
  array[n, max(J)] vector[2] x;
  vector[2] mu0;  // the model's default: 0.0
  cov_matrix[2] Sigma0;  // the model's default: 1e4 * identity_matrix(2)
  real<lower=0.0> q;  // the model's default: 0.001
  real<lower=0.0> r;  // the model's default: 1000.0
  real<lower=0.0> q0;  // the model's default: 1.0
  real<lower=0.0> q1;  // the model's default: 1.0
  real<lower=0.0> r0;  // the model's default: 1.0
  real<lower=0.0> r1;  // the model's default: 1.0
  array[n, max(J)] real y;
}
parameters {
  array[n] vector[2] beta;
  vector[2] mu;
  real<lower=0.0> sigma2_0;
  real<lower=0.0> sigma2_1;
  real<lower=-1.0, upper=1.0> rho;
  real<lower=0.0> sigma2;
}
transformed parameters {
  matrix[2, 2] Sigma;
  Sigma = [[sigma2_0, rho * sqrt(sigma2_0) * sqrt(sigma2_1)], [rho * sqrt(sigma2_0) * sqrt(sigma2_1), sigma2_1]];
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
  sigma2_0 ~ inv_gamma(q0, inv(r0));
  sigma2_1 ~ inv_gamma(q1, inv(r1));
  rho ~ uniform(-1.0, 1.0);
  sigma2 ~ inv_gamma(q, inv(r));
}
