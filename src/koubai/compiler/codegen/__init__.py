"""From kernels to LLVM IR, as text."""
