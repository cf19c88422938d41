"""The two words in which the generator draws lots."""
import math
import random

between = random.uniform


def chance(p):
    return random.random() < p


def log_between(low, high):
    """Log-uniform: as many small as large, by factor. Sizes are drawn like this."""
    return math.exp(random.uniform(math.log(low), math.log(high)))
