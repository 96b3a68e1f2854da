"""Data and model: scikit-learn's digits and a logistic regression."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split


def load_data(partition_id, num_partitions):
    images, labels = load_digits(return_X_y=True)
    mine = slice(partition_id, None, num_partitions)
    return train_test_split(images[mine] / 16, labels[mine], test_size=0.2, random_state=0)


def create_model(local_epochs):
    model = LogisticRegression(max_iter=local_epochs, warm_start=True)
    model.classes_ = np.arange(10)
    set_parameters(model, [np.zeros((10, 64)), np.zeros(10)])
    return model


def get_parameters(model):
    return [model.coef_, model.intercept_]


def set_parameters(model, parameters):
    model.coef_, model.intercept_ = (np.array(array) for array in parameters)
