// state_space
data {
  int<lower=1> T;
  real m0;  // the model's default: 0.0
  real m_phi;  // the model's default: 0.0
  real<lower=0.0> v0;  // the model's default: 1e6
  real<lower=0.0> v_phi;  // the model's default: 1.0
  real<lower=0.0> q_y;  // the model's default: 0.001
  real<lower=0.0> q_z;  // the model's default: 0.001
  real<lower=0.0> r_y;  // the model's default: 1000.0
  real<lower=0.0> r_z;  // the model's default: 1000.0
  array[T] real y;
}
parameters {
  array[T + 1] real z;
  real phi;
  real<lower=0.0> sigma2_y;
  real<lower=0.0> sigma2_z;
}
model {
  for (t in 1:T) {
    y[t] ~ normal(z[t + 1], sqrt(sigma2_y));
  }
  z[0 + 1] ~ normal(m0, sqrt(v0));
  for (t in 1:T) {
    z[t + 1] ~ normal(phi * z[t - 1 + 1], sqrt(sigma2_z));
  }
  phi ~ normal(m_phi, sqrt(v_phi));
  sigma2_y ~ inv_gamma(q_y, inv(r_y));
  sigma2_z ~ inv_gamma(q_z, inv(r_z));
}
