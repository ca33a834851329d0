"""Training and scoring: `mini` is the shape of the small model, `senses` and `train` teach it, `evaluate` asks it."""
