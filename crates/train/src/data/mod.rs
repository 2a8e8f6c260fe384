//! Rows of published datasets as conversations with what is to be learnt from them.
