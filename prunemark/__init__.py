"""Prunemark, a fairness-aware benchmark for neural-network pruning (arXiv:2301.05219).

The folders at the root of the repository are this package's rooms: each is a link here, so that every tool sees one
package. Nothing is imported until it is asked for.
"""
