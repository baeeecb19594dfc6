def to_stan(m): return ""
