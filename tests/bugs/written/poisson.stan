// poisson
data {
  int<lower=1> n;
  array[n] int<lower=0> J;
  int<lower=1> p;
  array[n, max(J)] vector[p] x;
  vector[p] mu0;  // the model's default: 0.0
  cov_matrix[p] Sigma0;  // the model's default: 100.0 * identity_matrix(p)
  cov_matrix[p] S;  // the model's default: identity_matrix(p)
  real<lower=p - 1.0> nu;  // the model's default: p
  array[n, max(J)] int<lower=0> y;
}
parameters {
  array[n] vector[p] beta;
  vector[p] mu;
  cov_matrix[p] Q;
}
transformed parameters {
  array[n, max(J)] real z;
  matrix[p, p] Sigma;
  for (i in 1:n) {
    for (j in 1:J[i]) {
      z[i, j] = exp(x[i, j]' * beta[i]);
    }
  }
  Sigma = inverse(Q);
}
model {
  for (i in 1:n) {
    for (j in 1:J[i]) {
      y[i, j] ~ poisson(z[i, j]);
    }
  }
  for (i in 1:n) {
    beta[i] ~ multi_normal(mu, Sigma);
  }
  mu ~ multi_normal(mu0, Sigma0);
  Q ~ wishart(nu, inverse(nu * S));
}
