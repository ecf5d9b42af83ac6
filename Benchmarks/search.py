"""How near to the best our TPE comes against Optuna's, with the same number of trials, and how long it thinks.

Regret is the best objective of a search less the least that there is. A row has the medians of both over the seeds; p is of a one-sided
Mann-Whitney test of whether ours is worse, and is printed. Both are asked about the same functions, which stand here; ours through the pure
function, which reads all trials anew for each suggestion.
"""

import functools
import json
import math
import statistics
import subprocess
import sys
from pathlib import Path

from harness import CACHE, row
from measured import PACKAGE

SEEDS = 30
TRIALS = 100
OPTUNA = "optuna==5.0.0"
PEER = "Optuna 5.0.0"
ENVIRONMENT = CACHE / "bench-optuna"

A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
P = [
    [1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
    [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381],
]
OPTIMIZERS = {"sgd": (0.05, -1), "rmsprop": (0.1, -3.5), "adagrad": (0.2, -2), "adam": (0, -3)}
ACTIVATIONS = {"relu": (0.03, 4), "tanh": (0.08, 2), "gelu": (0, 5)}


def branin(v: dict) -> float:
    bend = v["y"] - 5.1 / (4 * math.pi**2) * v["x"] ** 2 + 5 / math.pi * v["x"] - 6
    return bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(v["x"]) + 10 - 0.39788735772973816


def hartmann(v: dict) -> float:
    def exponent(i: int) -> float:
        return sum(A[i][j] * (v[f"x{j}"] - P[i][j] * 1e-4) ** 2 for j in range(6))

    return 3.32236801141551 - sum(weight * math.exp(-exponent(i)) for i, weight in enumerate([1, 1.2, 3, 3.2]))


def rosenbrock(v: dict) -> float:
    return sum(100 * (v[f"x{i + 1}"] - v[f"x{i}"] ** 2) ** 2 + (1 - v[f"x{i}"]) ** 2 for i in range(3))


def mixed(v: dict) -> float:
    """Like the tuning of a network: each optimizer has its own best learning rate, each activation its own best depth."""
    offset, rate = OPTIMIZERS[v["optimizer"]]
    other, layers = ACTIVATIONS[v["activation"]]
    return (
        offset + 0.5 * (math.log10(v["learningRate"]) - rate) ** 2 + other + 0.03 * (v["layers"] - layers) ** 2
        + 0.3 * ((v["units"] - 256) / 240) ** 2 + 2 * (v["dropout"] - 0.2) ** 2
    )


# Each with the parameters that it has.
FUNCTIONS = {
    "branin": (branin, {"x": ("uniform", -5, 10), "y": ("uniform", 0, 15)}),
    "hartmann6": (hartmann, {f"x{i}": ("uniform", 0, 1) for i in range(6)}),
    "rosenbrock4": (rosenbrock, {f"x{i}": ("uniform", -5, 10) for i in range(4)}),
    "mixed": (
        mixed,
        {
            "optimizer": ("categorical", *OPTIMIZERS), "activation": ("categorical", *ACTIVATIONS),
            "learningRate": ("logUniform", 1e-5, 1), "layers": ("integer", 1, 8), "units": ("integer", 16, 512),
            "dropout": ("uniform", 0, 0.6),
        },
    ),
}
NAMES = [f"search-regret-{name}" for name in FUNCTIONS] + ["search-suggestion-1000"]


@functools.cache
def program() -> Path:
    flags = [
        "swift", "build", "--package-path", PACKAGE, "--configuration", "release", "--static-swift-stdlib",
        "--product", "SearchBench",
    ]
    subprocess.run(flags, check=True, stdout=subprocess.DEVNULL)
    path = subprocess.run([*flags, "--show-bin-path"], check=True, capture_output=True, text=True).stdout.strip()
    return Path(path) / "SearchBench"


@functools.cache
def peer_python() -> Path | None:
    """Of an environment with Optuna, from PyPI, and SciPy for the test; None where they cannot be had."""
    python = ENVIRONMENT / "bin" / "python"
    if not list(ENVIRONMENT.glob("lib/*/site-packages/optuna")):
        subprocess.run(["/usr/bin/python3", "-m", "venv", ENVIRONMENT], check=True)
        if subprocess.run([python, "-m", "pip", "install", "--quiet", OPTUNA, "scipy==1.17.1"]).returncode != 0:
            return None
    return python


class Ours:
    """Our program, spoken to by lines."""

    def __init__(self):
        self._child = subprocess.Popen([program()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, *lines: str) -> None:
        self._child.stdin.write("".join(f"{line}\n" for line in lines))
        self._child.stdin.flush()

    def ask(self, line: str) -> str:
        self.tell(line)
        answer = self._child.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"SearchBench did not answer '{line}'")
        return answer

    def search(self, name: str, seed: int, trials: int) -> float:
        """The least that it found."""
        function, parameters = FUNCTIONS[name]
        self.tell(f"search {seed}")
        self.tell(*(f"parameter {key} {' '.join(map(str, words))}" for key, words in parameters.items()))
        best = math.inf
        for _ in range(trials):
            texts = dict(word.split("=") for word in self.ask("ask").split())
            value = function({key: self._value(text, parameters[key][0]) for key, text in texts.items()})
            self.tell(f"tell {value!r}")
            best = min(best, value)
        return best

    @staticmethod
    def _value(text: str, kind: str):
        return text if kind == "categorical" else int(text) if kind == "integer" else float(text)

    def close(self) -> None:
        self._child.stdin.close()
        self._child.wait()


def peer_searches(name: str) -> list[float]:
    """Runs in the peer's environment: the default sampler with each seed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    function, parameters = FUNCTIONS[name]

    def value(trial, key: str, kind: str, *words):
        if kind == "categorical":
            return trial.suggest_categorical(key, words)
        if kind == "integer":
            return trial.suggest_int(key, *words)
        return trial.suggest_float(key, *words, log=kind == "logUniform")

    def search(seed: int) -> float:
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        study.optimize(lambda trial: function({key: value(trial, key, *it) for key, it in parameters.items()}), TRIALS)
        return study.best_value

    return [search(seed) for seed in range(SEEDS)]


def in_peer(*arguments: str, text: str = ""):
    command = [peer_python(), __file__, *arguments]
    return json.loads(subprocess.run(command, check=True, input=text, capture_output=True, text=True).stdout)


def regret_row(name: str) -> dict:
    child = Ours()
    ours = [child.search(name, seed, TRIALS) for seed in range(SEEDS)]
    child.close()
    peer = in_peer("searches", name) if peer_python() else None
    if peer:
        p = in_peer("worse", text=json.dumps([ours, peer]))
        verdict = "nothing shows ours worse" if p > 0.01 else "OURS IS WORSE"
        print(f"search-regret-{name}: one-sided Mann-Whitney p = {p:.3g}, {verdict}")
    return exact(row(
        f"search-regret-{name}", statistics.median(ours), peer and statistics.median(peer), PEER, "above the least"),
        statistics.median(ours), peer and statistics.median(peer))


def exact(entry: dict, ours: float, peer: float | None) -> dict:
    """Regrets are small: three decimals are not enough of them."""
    return entry | {"ours": float(f"{ours:.4g}"), "peer": peer and float(f"{peer:.4g}")}


def suggestion_row() -> dict:
    """The median of 21 suggestions after 1,000 trials of the mixed function."""
    child = Ours()
    child.search("mixed", 0, 1000)
    milliseconds = statistics.median(float(child.ask("time")) for _ in range(21))
    child.close()
    return row("search-suggestion-1000", milliseconds, None, None, "ms of CPU")


def rows(wants) -> list[dict]:
    found = [regret_row(name) for name in FUNCTIONS if wants(f"search-regret-{name}")]
    return found + ([suggestion_row()] if wants("search-suggestion-1000") else [])


if __name__ == "__main__":
    if sys.argv[1] == "worse":
        from scipy.stats import mannwhitneyu

        print(json.dumps(mannwhitneyu(*json.load(sys.stdin), alternative="greater").pvalue))
    else:
        print(json.dumps(peer_searches(sys.argv[2])))
