"""From LLVM IR to machine code in this process, and calling it."""
