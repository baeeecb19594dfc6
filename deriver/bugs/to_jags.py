def to_jags(m): return ""
