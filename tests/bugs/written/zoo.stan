// zoo
data {
  int<lower=1> n;
  int<lower=1> T;
  array[n] int<lower=1, upper=3> g;
  array[n] real x;
  array[n] int<lower=0> m;
  int<lower=0> size_S;
  array[size_S] int S;
  array[n] real y;
  array[n] int<lower=0> c;
  array[n] real<lower=0.0> w;
  array[n] int<lower=1, upper=3> h;
}
parameters {
  array[3] real a;
  array[T + 1] real z;
  real<lower=1.0> nu;
  real<lower=0.0> s;
  real<lower=0.0> lam;
  real<lower=0.0> tau;
  simplex[3] pr;
  real<lower=0.0, upper=1.0> r;
}
transformed parameters {
  array[n] real p;
  real total;
  matrix[3, 3] R;
  real b;
  for (i in 1:n) {
    real sum_1 = 0;
    for (k_1 in 1:3) {
      sum_1 += a[k_1];
    }
    p[i] = inv_logit(a[g[i]] + sum_1 / 3.0);
  }
  {
    real sum_2 = 0;
    for (i_2 in 1:n) {
      if (g[i_2] == 1) sum_2 += x[i_2];
    }
    total = sum_2;
  }
  R = add_diag(rep_matrix(r, 3, 3), 1.0 - r);
  b = 1.0 - (-r > 0);
}
model {
  for (i in 1:n) {
    y[i] ~ student_t(nu, a[g[i]] * x[i], s);
  }
  for (i in 1:n) {
    c[i] ~ binomial(m[i], p[i]);
  }
  for (i in S) {
    w[i] ~ weibull(2.0, pow(lam, -inv(2.0)));
  }
  for (i in 1:n) {
    h[i] ~ categorical(pr);
  }
  for (k in 1:3) {
    a[k] ~ double_exponential(0.0, inv(tau));
  }
  z[0 + 1] ~ normal(0.0, 10.0);
  for (t in 1:T) {
    z[t + 1] ~ normal(z[t - 1 + 1], s);
  }
  nu ~ gamma(2.0, inv(10.0)) T[1.0, ];
  s ~ cauchy(0.0, 2.5);
  lam ~ inv_gamma(2.0, 3.0);
  tau ~ lognormal(0.0, sqrt(2.0));
  pr ~ dirichlet([1.0, 1.0, 2.0]');
  r ~ uniform(0.0, 1.0);
}
