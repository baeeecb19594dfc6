M={}
M['rats']='''# growth of young rats: a line for each, centred at 22 days
model {
  for (i in 1:N) {
    for (j in 1:T) {
      Y[i,j] ~ dnorm(mu[i,j], tau.c)
      mu[i,j] <- alpha[i] + beta[i] * (x[j] - x.bar)
    }
    alpha[i] ~ dnorm(alpha.c, tau.alpha)
    beta[i] ~ dnorm(beta.c, tau.beta)
  }
  x.bar <- mean(x[])
  alpha.c ~ dnorm(0, 1.0E-4)
  beta.c ~ dnorm(0, 1.0E-4)
  tau.c ~ dgamma(0.001, 0.001)
  tau.alpha ~ dgamma(0.001, 0.001)
  tau.beta ~ dgamma(0.001, 0.001)
  sigma <- 1 / sqrt(tau.c)
  sigma.alpha <- 1 / sqrt(tau.alpha)
  sigma.beta <- 1 / sqrt(tau.beta)
  alpha0 <- alpha.c - beta.c * x.bar
}
'''
M['ratsmiss']=M['rats']
M['pump']='''model {
  for (i in 1:N) {
    theta[i] ~ dgamma(alpha, beta)
    lambda[i] <- theta[i] * t[i]
    x[i] ~ dpois(lambda[i])
  }
  alpha ~ dexp(1.0)
  beta ~ dgamma(0.1, 1.0)
}
'''
M['dogs']='''# avoidance learning: shocks and avoidances so far multiply the chance of the next shock
model {
  for (i in 1:Dogs) {
    xa[i,1] <- 0
    xs[i,1] <- 0
    for (j in 2:Trials) {
      xa[i,j] <- sum(Y[i, 1:(j - 1)])
      xs[i,j] <- j - 1 - xa[i,j]
    }
    for (j in 2:Trials) {
      y[i,j] <- 1 - Y[i,j]
    }
  }
  for (i in 1:Dogs) {
    for (j in 2:Trials) {
      y[i,j] ~ dbern(p[i,j])
      log(p[i,j]) <- alpha * xa[i,j] + beta * xs[i,j]
    }
  }
  alpha ~ dunif(-10, -0.00001)
  beta ~ dunif(-10, -0.00001)
  A <- exp(alpha)
  B <- exp(beta)
}
'''
M['seeds']='''model {
  for (i in 1:N) {
    r[i] ~ dbin(p[i], n[i])
    b[i] ~ dnorm(0, tau)
    logit(p[i]) <- alpha0 + alpha1 * x1[i] + alpha2 * x2[i] + alpha12 * x1[i] * x2[i] + b[i]
  }
  alpha0 ~ dnorm(0, 1.0E-6)
  alpha1 ~ dnorm(0, 1.0E-6)
  alpha2 ~ dnorm(0, 1.0E-6)
  alpha12 ~ dnorm(0, 1.0E-6)
  tau ~ dgamma(0.001, 0.001)
  sigma <- 1 / sqrt(tau)
}
'''
M['seedszro']='''model {
  for (i in 1:N) {
    r[i] ~ dbin(p[i], n[i])
    c[i] ~ dnorm(0, tau)
    b[i] <- c[i] - mean(c[])
    logit(p[i]) <- alpha0 + alpha1 * x1[i] + alpha2 * x2[i] + alpha12 * x1[i] * x2[i] + b[i]
  }
  alpha0 ~ dnorm(0, 1.0E-6)
  alpha1 ~ dnorm(0, 1.0E-6)
  alpha2 ~ dnorm(0, 1.0E-6)
  alpha12 ~ dnorm(0, 1.0E-6)
  tau ~ dgamma(0.001, 0.001)
  sigma <- 1 / sqrt(tau)
}
'''
M['seedssig']='''model {
  for (i in 1:N) {
    r[i] ~ dbin(p[i], n[i])
    b[i] ~ dnorm(0, 1)
    logit(p[i]) <- alpha0 + alpha1 * x1[i] + alpha2 * x2[i] + alpha12 * x1[i] * x2[i] + sigma * b[i]
  }
  alpha0 ~ dnorm(0, 1.0E-6)
  alpha1 ~ dnorm(0, 1.0E-6)
  alpha2 ~ dnorm(0, 1.0E-6)
  alpha12 ~ dnorm(0, 1.0E-6)
  sigma ~ dexp(1)
}
'''
M['surgical_fixed']='''model {
  for (i in 1:N) {
    p[i] ~ dbeta(1, 1)
    r[i] ~ dbin(p[i], n[i])
  }
}
'''
M['surgical_random']='''model {
  for (i in 1:N) {
    b[i] ~ dnorm(mu, tau)
    r[i] ~ dbin(p[i], n[i])
    logit(p[i]) <- b[i]
  }
  mu ~ dnorm(0, 1.0E-6)
  tau ~ dgamma(0.001, 0.001)
  pop.mean <- exp(mu) / (1 + exp(mu))
  sigma <- 1 / sqrt(tau)
}
'''
M['salm']='''# revertant colonies of salmonella by dose of quinoline, with extra-Poisson variation
model {
  for (i in 1:doses) {
    for (j in 1:plates) {
      y[i,j] ~ dpois(mu[i,j])
      log(mu[i,j]) <- alpha + beta * log(x[i] + 10) + gamma * x[i] / 1000 + lambda[i,j]
      lambda[i,j] ~ dnorm(0, tau)
    }
  }
  alpha ~ dnorm(0, 1.0E-6)
  beta ~ dnorm(0, 1.0E-6)
  gamma ~ dnorm(0, 1.0E-6)
  tau ~ dpar(0.5, 0.04)
  sigma <- 1 / sqrt(tau)
}
'''
M['equiv']='''# a two-treatment cross-over trial
model {
  for (k in 1:T) {
    for (i in 1:N) {
      Treat[i,k] <- group[i] * (k - 1.5) + 1.5
    }
    sign[k] <- 3 - 2 * k
  }
  for (i in 1:N) {
    for (k in 1:T) {
      Y[i,k] ~ dnorm(m[i,k], tau[1])
      m[i,k] <- mu + sign[Treat[i,k]] * phi / 2 + sign[k] * pi / 2 + delta[i]
    }
    delta[i] ~ dnorm(0, tau[2])
  }
  for (j in 1:2) {
    tau[j] ~ dgamma(0.001, 0.001)
    sigma[j] <- 1 / sqrt(tau[j])
  }
  mu ~ dnorm(0, 1.0E-6)
  phi ~ dnorm(0, 1.0E-6)
  pi ~ dnorm(0, 1.0E-6)
  theta <- exp(phi)
  equivalence <- step(theta - 0.8) - step(theta - 1.2)
}
'''
M['stacks_a']='''model {
  for (j in 1:p) {
    for (i in 1:N) {
      z[i,j] <- (x[i,j] - mean(x[,j])) / sd(x[,j])
    }
  }
  for (i in 1:N) {
    Y[i] ~ dnorm(mu[i], tau)
    mu[i] <- beta0 + inprod(beta[], z[i,])
  }
  beta0 ~ dnorm(0, 0.00001)
  for (j in 1:p) {
    beta[j] ~ dnorm(0, 0.00001)
    b[j] <- beta[j] / sd(x[,j])
  }
  tau ~ dgamma(1.0E-3, 1.0E-3)
  b0 <- beta0 - b[1] * mean(x[,1]) - b[2] * mean(x[,2]) - b[3] * mean(x[,3])
  sigma <- 1 / sqrt(tau)
}
'''
M['stacks_b']=M['stacks_a'].replace('dnorm(mu[i], tau)','ddexp(mu[i], tau)').replace('sigma <- 1 / sqrt(tau)','sigma <- sqrt(2) / tau')
M['epil2']='''# seizures of epileptics; the covariates are centred at their means
model {
  for (j in 1:N) {
    log.Base4[j] <- log(Base[j] / 4)
    log.Age[j] <- log(Age[j])
    BT[j] <- Trt[j] * log.Base4[j]
    for (k in 1:T) {
      log(mu[j,k]) <- a0 + alpha.Base * (log.Base4[j] - mean(log.Base4[])) + alpha.Trt * (Trt[j] - mean(Trt[]))
                      + alpha.BT * (BT[j] - mean(BT[])) + alpha.Age * (log.Age[j] - mean(log.Age[]))
                      + alpha.V4 * (V4[k] - mean(V4[])) + b1[j]
      y[j,k] ~ dpois(mu[j,k])
    }
    b1[j] ~ dnorm(0, tau.b1)
  }
  a0 ~ dnorm(0, 1.0E-4)
  alpha.Base ~ dnorm(0, 1.0E-4)
  alpha.Trt ~ dnorm(0, 1.0E-4)
  alpha.BT ~ dnorm(0, 1.0E-4)
  alpha.Age ~ dnorm(0, 1.0E-4)
  alpha.V4 ~ dnorm(0, 1.0E-4)
  tau.b1 ~ dgamma(1.0E-3, 1.0E-3)
  sigma.b1 <- 1 / sqrt(tau.b1)
}
'''
M['blocker']='''model {
  for (i in 1:Num) {
    rt[i] ~ dbin(pt[i], nt[i])
    rc[i] ~ dbin(pc[i], nc[i])
    logit(pc[i]) <- mu[i]
    logit(pt[i]) <- mu[i] + delta[i]
    delta[i] ~ dnorm(d, tau)
    mu[i] ~ dnorm(0, 1.0E-5)
  }
  d ~ dnorm(0, 1.0E-6)
  tau ~ dgamma(1.0E-3, 1.0E-3)
  delta.new ~ dnorm(d, tau)
  sigma <- 1 / sqrt(tau)
}
'''
M['lsat']='''data {
  # 32 patterns of answers to a row for each person
  for (j in 1:culm[1]) {
    for (k in 1:T) {
      r[j,k] <- response[1,k]
    }
  }
  for (i in 2:R) {
    for (j in (culm[i-1] + 1):culm[i]) {
      for (k in 1:T) {
        r[j,k] <- response[i,k]
      }
    }
  }
}
model {
  for (j in 1:N) {
    for (k in 1:T) {
      logit(p[j,k]) <- beta * theta[j] - alpha[k]
      r[j,k] ~ dbern(p[j,k])
    }
    theta[j] ~ dnorm(0, 1)
  }
  for (k in 1:T) {
    alpha[k] ~ dnorm(0, 0.0001)
    a[k] <- alpha[k] - mean(alpha[])
  }
  beta ~ dnorm(0, 0.0001) T(0, )
}
'''
M['bones']='''model {
  for (i in 1:nChild) {
    theta[i] ~ dnorm(0, 0.001)
    for (j in 1:nInd) {
      for (k in 1:(ncat[j] - 1)) {
        logit(Q[i,j,k]) <- delta[j] * (theta[i] - gamma[j,k])
      }
    }
    for (j in 1:nInd) {
      p[i,j,1] <- 1 - Q[i,j,1]
      for (k in 2:(ncat[j] - 1)) {
        p[i,j,k] <- Q[i,j,k-1] - Q[i,j,k]
      }
      p[i,j,ncat[j]] <- Q[i,j,ncat[j] - 1]
      grade[i,j] ~ dcat(p[i,j,1:ncat[j]])
    }
  }
}
'''
M['inhaler']='''# ordered answers about two inhalers, in a cross-over trial
data {
  for (k in 1:Npattern) {
    first[k] <- equals(k, 1) + (1 - equals(k, 1)) * (Ncum[max(k - 1, 1),2] + 1)
    for (i in first[k]:Ncum[k,1]) {
      group[i] <- 1
      for (t in 1:T) {
        response[i,t] <- pattern[k,t]
      }
    }
    for (i in (Ncum[k,1] + 1):Ncum[k,2]) {
      group[i] <- 2
      for (t in 1:T) {
        response[i,t] <- pattern[k,t]
      }
    }
  }
}
model {
  for (i in 1:N) {
    for (t in 1:T) {
      for (j in 1:Ncut) {
        logit(Q[i,t,j]) <- -(a[j] + mu[group[i],t] + b[i])
      }
      p[i,t,1] <- 1 - Q[i,t,1]
      for (j in 2:Ncut) {
        p[i,t,j] <- Q[i,t,j-1] - Q[i,t,j]
      }
      p[i,t,(Ncut + 1)] <- Q[i,t,Ncut]
      response[i,t] ~ dcat(p[i,t,])
    }
    b[i] ~ dnorm(0, tau)
  }
  for (g in 1:G) {
    for (t in 1:T) {
      mu[g,t] <- beta * treat[g,t] / 2 + pi * period[g,t] / 2 + kappa * carry[g,t]
    }
  }
  beta ~ dnorm(0, 1.0E-6)
  pi ~ dnorm(0, 1.0E-6)
  kappa ~ dnorm(0, 1.0E-6)
  for (j in 1:Ncut) {
    a0[j] ~ dnorm(0, 1.0E-6)
  }
  a[1:3] <- sort(a0)
  tau ~ dgamma(0.001, 0.001)
  sigma <- sqrt(1 / tau)
}
'''
M['mice']='''model {
  for (i in 1:N) {
    is.censored[i] ~ dinterval(t[i], last.t[i])
    t[i] ~ dweib(r, mu[group[i]])
  }
  for (k in 1:M) {
    mu[k] <- exp(beta[k])
    beta[k] ~ dnorm(0, 0.0001)
    median[k] <- pow(log(2) * exp(-beta[k]), 1 / r)
  }
  r ~ dexp(0.0001)
  veh.control <- beta[2] - beta[1]
  test.sub <- beta[3] - beta[1]
  pos.control <- beta[4] - beta[1]
}
'''
M['leuk']='''model {
  # the counting process of the times
  for (i in 1:N) {
    for (j in 1:T) {
      Y[i,j] <- step(obs.t[i] - t[j] + eps)
      dN[i,j] <- Y[i,j] * step(t[j+1] - obs.t[i] - eps) * fail[i]
    }
  }
  for (j in 1:T) {
    for (i in 1:N) {
      dN[i,j] ~ dpois(Idt[i,j])
      Idt[i,j] <- Y[i,j] * exp(beta * Z[i]) * dL0[j]
    }
    dL0[j] ~ dgamma(mu[j], c)
    mu[j] <- dL0.star[j] * c
  }
  c <- 0.001
  r <- 0.1
  for (j in 1:T) {
    dL0.star[j] <- r * (t[j+1] - t[j])
  }
  beta ~ dnorm(0, 0.000001)
}
'''
M['litters']='''model {
  for (g in 1:G) {
    for (j in 1:N) {
      r[g,j] ~ dbin(p[g,j], n[g,j])
      p[g,j] ~ dbeta(a[g], b[g])
    }
    mu[g] <- a[g] / (a[g] + b[g])
    theta[g] <- 1 / (a[g] + b[g])
    a[g] ~ dgamma(1, 0.001)
    b[g] ~ dgamma(1, 0.001)
  }
}
'''
M['line']='''model {
  for (i in 1:N) {
    Y[i] ~ dnorm(mu[i], tau)
    mu[i] <- alpha + beta * (x[i] - mean(x[]))
  }
  alpha ~ dnorm(0, 1.0E-4)
  beta ~ dnorm(0, 1.0E-4)
  tau ~ dgamma(1.0E-3, 1.0E-3)
  sigma <- 1 / sqrt(tau)
}
'''
M['dugongs']='''model {
  for (i in 1:N) {
    Y[i] ~ dnorm(mu[i], tau)
    mu[i] <- alpha - beta * pow(gamma, x[i])
  }
  alpha ~ dnorm(0, 1.0E-6)
  beta ~ dnorm(0, 1.0E-6)
  gamma ~ dunif(0.5, 1.0)
  tau ~ dgamma(0.001, 0.001)
  sigma <- 1 / sqrt(tau)
  U3 <- logit(gamma)
}
'''
M['eyes']='''model {
  for (i in 1:N) {
    y[i] ~ dnorm(mu[i], tau)
    mu[i] <- lambda[T[i]]
    T[i] ~ dcat(P[])
  }
  P[1:2] ~ ddirch(alpha[])
  theta ~ dunif(0.0, 1000)
  lambda[2] <- lambda[1] + theta
  lambda[1] ~ dnorm(0.0, 1.0E-6)
  tau ~ dgamma(0.001, 0.001)
  sigma <- 1 / sqrt(tau)
}
'''
M['hearts']='''model {
  for (i in 1:N) {
    y[i] ~ dbin(P[state1[i]], t[i])
    state[i] ~ dbern(theta)
    state1[i] <- state[i] + 1
    prop[i] <- P[state1[i]]
  }
  P[1] <- p
  P[2] <- 0
  logit(p) <- alpha
  alpha ~ dnorm(0, 1.0E-4)
  beta <- exp(alpha)
  logit(theta) <- delta
  delta ~ dnorm(0, 1.0E-4)
}
'''
M['jaw']='''model {
  beta0 ~ dnorm(0, 0.001)
  beta1 ~ dnorm(0, 0.001)
  for (j in 1:M) {
    mu[j] <- beta0 + beta1 * (age[j] - mean(age[]))
  }
  Omega[1:M,1:M] ~ dwish(R[,], 4)
  for (i in 1:N) {
    Y[i,1:M] ~ dmnorm(mu[], Omega[,])
  }
  Sigma2[1:M,1:M] <- inverse(Omega[,])
}
'''
M['ice']='''# breast cancer by age and year of birth, smoothed by a second-order random walk
model {
  for (i in 1:I) {
    cases[i] ~ dpois(mu[i])
    log(mu[i]) <- log(pyr[i]) + alpha[age[i]] + beta[year[i]]
  }
  alpha[1] <- 0
  for (j in 2:Nage) {
    alpha[j] ~ dnorm(0, 1.0E-6)
  }
  beta[1] ~ dnorm(0, tau * 1.0E-6)
  beta[2] ~ dnorm(0, tau * 1.0E-6)
  for (k in 3:K) {
    beta[k] ~ dnorm(2 * beta[k-1] - beta[k-2], tau)
  }
  sigma ~ dunif(0, 1)
  tau <- 1 / pow(sigma, 2)
  for (k in 1:K) {
    logRR[k] <- beta[k] - beta[5]
  }
}
'''
M['beetles_logit']='''model {
  for (i in 1:N) {
    r[i] ~ dbin(p[i], n[i])
    logit(p[i]) <- alpha.star + beta * (x[i] - mean(x[]))
    r.hat[i] <- p[i] * n[i]
  }
  alpha.star ~ dnorm(0.0, 1.0E-3)
  beta ~ dnorm(0.0, 1.0E-3)
  alpha <- alpha.star - beta * mean(x[])
}
'''
M['beetles_probit']=M['beetles_logit'].replace('logit(p[i])','probit(p[i])')
M['alli']='''model {
  for (k in 1:K) {
    beta[1,k] <- 0
    gamma[1,k] <- 0
  }
  for (i in 2:I) {
    beta[i,1] <- 0
  }
  for (j in 2:J) {
    gamma[j,1] <- 0
  }
  alpha[1] <- 0
  for (k in 2:K) {
    alpha[k] ~ dnorm(0, 0.00001)
    for (i in 2:I) {
      beta[i,k] ~ dnorm(0, 0.00001)
    }
    for (j in 2:J) {
      gamma[j,k] ~ dnorm(0, 0.00001)
    }
  }
  for (i in 1:I) {
    for (j in 1:J) {
      X[i,j,] ~ dmulti(p[i,j,], n[i,j])
      for (k in 1:K) {
        p[i,j,k] <- phi[i,j,k] / sum(phi[i,j,])
        log(phi[i,j,k]) <- alpha[k] + beta[i,k] + gamma[j,k]
      }
    }
  }
}
'''
M['stagnant']='''model {
  for (i in 1:N) {
    Y[i] ~ dnorm(mu[i], tau)
    mu[i] <- alpha + beta[J[i]] * (x[i] - x.change)
    J[i] <- 1 + step(i - k - 0.5)
    punif[i] <- 1 / N
  }
  tau ~ dgamma(0.001, 0.001)
  alpha ~ dnorm(0.0, 1.0E-6)
  for (j in 1:2) {
    beta[j] ~ dnorm(0.0, 1.0E-6)
  }
  sigma <- 1 / sqrt(tau)
  k ~ dcat(punif[])
  x.change <- x[k]
}
'''
M['asia2']='''model {
  for (i in 1:2) {
    theta.b[i,1:2] ~ ddirch(pr[])
    pr[i] <- 1
  }
  for (i in 1:N) {
    smoking[i] ~ dcat(p.smoking[])
    tuberculosis[i] ~ dcat(p.tuberculosis[asia[i],])
    lung.cancer[i] ~ dcat(p.lung.cancer[smoking[i],])
    bronchitis[i] ~ dcat(theta.b[smoking[i],])
    either[i] <- max(tuberculosis[i], lung.cancer[i])
    xray[i] ~ dcat(p.xray[either[i],])
    dyspnoea[i] ~ dcat(p.dyspnoea[either[i],bronchitis[i],])
  }
}
'''
M['t_df']='''model {
  for (i in 1:1000) {
    y[i] ~ dt(0, 1, d)
  }
  d ~ dunif(2, 100)
}
'''
M['funshapes_circle']='''model {
  x ~ dunif(-1, 1)
  y ~ dunif(-1, 1)
  O <- 0
  O ~ dbern(constraint)
  constraint <- step(x * x + y * y - 1)
}
'''
M['coins']='''model {
  r ~ dbin(p, n)
  p ~ dunif(0, 1)
}
'''
M['voles']='''model {
  for (i in 1:(nind + nz)) {
    y[i] ~ dbin(q[i], J)
    q[i] <- z[i] * p
    z[i] ~ dbern(psi)
  }
  p ~ dunif(0, 1)
  psi ~ dunif(0, 1)
  N <- sum(z[])
}
'''
for k,v in M.items(): open(k+'.bug','w').write(v)
