// wishart
data {
  int<lower=1> n;
  array[n] int<lower=0> J;
  int<lower=1> p;
  array[n, max(J)] vector[p] x;
  vector[p] mu0;  // the model's default: 0.0
  cov_matrix[p] Sigma0;  // the model's default: 1e4 * identity_matrix(p)
  cov_matrix[p] S;  // the model's default: identity_matrix(p)
  real<lower=p - 1.0> nu;  // the model's default: p
  real<lower=0.0> q;  // the model's default: 0.001
  real<lower=0.0> r;  // the model's default: 1000.0
  array[n, max(J)] real y;
}
parameters {
  array[n] vector[p] beta;
  vector[p] mu;
  cov_matrix[p] Q;
  real<lower=0.0> sigma2;
}
transformed parameters {
  matrix[p, p] Sigma;
  Sigma = inverse(Q);
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
  Q ~ wishart(nu, inverse(nu * S));
  sigma2 ~ inv_gamma(q, inv(r));
}
