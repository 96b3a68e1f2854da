"""Data, model, training and test: scikit-learn's digits and a small network with BatchNorm."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def load_data(partition_id, num_partitions):
    images, labels = load_digits(return_X_y=True)
    mine = slice(partition_id, None, num_partitions)
    data = TensorDataset(torch.tensor(images[mine] / 16).float(), torch.tensor(labels[mine]))
    train, test = random_split(data, [0.8, 0.2], generator=torch.Generator().manual_seed(0))
    return DataLoader(train, batch_size=16, shuffle=True), DataLoader(test, batch_size=64)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(64, 32)
        self.norm = nn.BatchNorm1d(32)
        self.last = nn.Linear(32, 10)

    def forward(self, images):
        return self.last(torch.relu(self.norm(self.first(images))))


def train(net, loader, epochs, learning_rate):
    optimizer = torch.optim.SGD(net.parameters(), lr=learning_rate)
    net.train()
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(images), labels).backward()
            optimizer.step()


@torch.no_grad()
def test(net, loader):
    net.eval()
    loss, correct = 0.0, 0
    for images, labels in loader:
        scores = net(images)
        loss += nn.functional.cross_entropy(scores, labels, reduction="sum").item()
        correct += (scores.argmax(dim=1) == labels).sum().item()
    return loss / len(loader.dataset), correct / len(loader.dataset)
