"""Parts of the quality benchmarks: truths with their pictures, answers to score, scores, and what is printed."""
