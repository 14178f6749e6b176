"""Fine-tuning and distillation: one engine, the losses, a teacher's outputs."""
