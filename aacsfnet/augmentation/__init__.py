"""GSFF: depth maps, prompts, depth-guided generation and the gate behind it."""
