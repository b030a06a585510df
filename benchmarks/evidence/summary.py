"""The tables and figures that are made from the CSV files of a run."""

import json

import numpy as np
import pandas as pd
from arms import ALL, AS_IS, CLOSED_FORM, FOREIGN, UNCORRECTED
from comparison import bootstrap_interval, corrected_t_test, wilcoxon, wins

OWN = "own"
OURS = ["focal, gamma by inner folds", "focal", "gamma 0"]
# Below this log loss a set is solved, and a ratio of log losses says nothing.
SOLVED = 0.005
VIEWS = [UNCORRECTED, CLOSED_FORM, "balance", "balance, training", "temperature", "platt"]


def summary(folder):
    """Print the tables of all parts that the folder holds, and draw their figures there."""
    runs(folder)
    path, positives = folder / "manifest.csv", None
    if path.exists():
        manifest = pd.read_csv(path).set_index("set")
        show("The sets", manifest)
        positives = manifest["positives (rarest class)"]
    for part in [*ALL, "multiclass"]:
        table = read(folder, part)
        if table is not None:
            main_tables(part, table, positives)
            figure_of_differences(table, folder / f"{part}.png")
    others = {
        "noise": noise, "confidence": confidence, "ensemble": ensemble, "published": published
    }  # fmt: skip
    for part, tables in others.items():
        table = read(folder, part)
        if table is not None:
            tables(table, folder)


def read(folder, part):
    # Committed results are compressed.
    paths = [path for path in (folder / f"{part}.csv", folder / f"{part}.csv.gz") if path.exists()]
    table = pd.read_csv(paths[0], low_memory=False) if paths else pd.DataFrame()
    return table if len(table) else None


def show(title, table, number="{:.3f}", index=True):
    if table.empty:
        return
    text = table.map(lambda v: number.format(v) if isinstance(v, float) else v)
    text = text.replace("nan", "")
    print(f"\n### {title}\n\n{text.to_markdown(disable_numparse=True, index=index)}")


def runs(folder):
    """Print when and on what the parts ran."""
    path = folder / "runs.jsonl"  # a run that was killed leaves no file
    if not path.exists():
        return
    found = [json.loads(line) for line in path.read_text().splitlines()]
    table = pd.DataFrame(found)
    parts = table.groupby("part", sort=False).agg(
        tasks=("tasks", "sum"), of=("of", "last"), hours=("hours", "sum"),
        trials=("trials", "last"), repeats=("repeats", "last"), jobs=("jobs", "last"),
        commit=("commit", "last"),
    )  # fmt: skip
    show("The runs", parts, "{:.2f}")
    last = found[-1]
    print(f"\n{last['cores']} cores of {last['cpu']}; hours together {table['hours'].sum():.2f}.")
    print(", ".join(f"{name} {number}" for name, number in last["versions"].items()))


def main_tables(part, table, positives):
    print(f"\n## {part}")
    failures(table)
    as_is = table[(table["view"] == AS_IS) & table["log_loss"].notna()]
    arms = [arm for arm in pd.unique(table["arm"]) if arm != OWN]
    show(
        "Against own log loss: average precision (difference) and log loss (ratio)",
        against(as_is, arms, OWN),
    )
    if part in ALL:
        ours = [arm for arm in arms if arm not in FOREIGN and arm not in (OWN, "gamma 0")]
        show("Against the bounded step alone, gamma 0", against(as_is, ours, "gamma 0"))
    show(
        "Calibration, medians over sets; the log loss is the ratio to own as is",
        views(table),
        index=False,
    )
    if "f1_tuned" in as_is and as_is["f1_tuned"].notna().any():
        show("Thresholds and time, means over sets", decisions(as_is, [OWN, *arms]))
    if part in ALL:
        bars(as_is, [arm for arm in FOREIGN if arm in arms])
        show(
            "Ahead of other implementations, sets of all",
            packages(as_is, [arm for arm in FOREIGN if arm in arms]),
            index=False,
        )
        if positives is not None:
            show(
                "By the number of positives: ratio of log loss; difference of AP",
                by_size(as_is, arms, positives),
            )
        show("Gamma that inner folds chose, share of the folds", gammas(as_is), "{:.2f}")
    show("Every set: AP and log loss of own; differences of AP, and ratios", every_set(as_is))


def failures(table):
    failed = table[table["error"].fillna("") != ""]
    n = len(table[["set", "fold", "arm", "noise", "level"]].drop_duplicates())
    print(f"\n{len(failed)} of {n} trainings failed.")
    trials = table[table["view"] == AS_IS].groupby("arm", sort=False)["failed_trials"].sum()
    if trials.any():
        text = ", ".join(f"{arm} {count:.0f}" for arm, count in trials[trials > 0].items())
        print(f"\nTrials that failed, in trainings that did not: {text}.")
    if len(failed):
        counts = failed.groupby(["arm", "error"]).size().rename("trainings").reset_index()
        show("Failures", counts.set_index("arm"))


def paired(table, arm, base, measure):
    """Return one row per fold: the measure of both arms, where both have it."""
    columns = ["set", "fold"]
    values = [
        table[table["arm"] == name].set_index(columns)[measure].rename(column)
        for name, column in ((arm, "arm"), (base, "base"))
    ]
    return pd.concat(values, axis=1, join="inner").dropna().reset_index()


def per_set(table, arm, base, measure):
    """Return one row per set: the means of both arms over the folds, and the corrected t test."""
    shares = table.groupby("set")["test_share"].mean()
    rows = []
    for name, folds in paired(table, arm, base, measure).groupby("set"):
        mean, error, p = corrected_t_test(folds["arm"] - folds["base"], shares[name])
        values = folds[["arm", "base"]].mean()
        rows.append({"set": name, **values, "difference": mean, "error": error, "p": p})
    return pd.DataFrame(rows, columns=["set", "arm", "base", "difference", "error", "p"])


def against(table, arms, base):
    rows = {}
    for arm in arms:
        ap, loss = (per_set(table, arm, base, name) for name in ("average_precision", "log_loss"))
        if ap.empty:
            continue
        low, high = bootstrap_interval(ap["difference"])
        logs = np.log(loss["arm"] / loss["base"])
        unsolved = logs[loss["base"] >= SOLVED]
        interval = np.exp(bootstrap_interval(logs))
        rows[arm] = {
            "sets": str(len(ap)),
            "AP": ap["arm"].mean(),
            "difference": f"{ap['difference'].mean():+.4f} ({low:+.4f}, {high:+.4f})",
            "p": wilcoxon(ap["difference"]),
            "better, worse": _counts(ap["difference"]),
            "t test": _significant(ap, 1),
            "log loss": f"{np.exp(logs.mean()):.3f} ({interval[0]:.3f}, {interval[1]:.3f})",
            "not solved": np.exp(unsolved.mean()),
            "p ": wilcoxon(logs),
            "better, worse ": _counts(-logs),
            "t test ": _significant(loss, -1),
        }
    return pd.DataFrame(rows).T


def _counts(differences):
    better, _, worse = wins(differences)
    return f"{better}, {worse}"


def _significant(sets, sign):
    """Return on how many sets the corrected t test at 5 % finds a better and a worse mean."""
    seen = sets[sets["p"] < 0.05]
    return _counts(sign * seen["difference"])


def views(table):
    own = table[(table["arm"] == OWN) & (table["view"] == AS_IS)]
    rows = []
    for arm in pd.unique(table["arm"]):
        for view in [AS_IS, *VIEWS]:
            here = table[(table["arm"] == arm) & (table["view"] == view)]
            if here["log_loss"].notna().sum() == 0:
                continue
            both = pd.concat([here.assign(arm="arm"), own])
            loss = per_set(both, "arm", OWN, "log_loss")
            names = ["brier", "calibration_slope", "calibration_error", "mean_over_rate"]
            sets = here.groupby("set")[names].mean().median()
            rows.append(
                {
                    "arm": arm,
                    "view": view,
                    "log loss": float(np.exp(np.mean(np.log(loss["arm"] / loss["base"])))),
                    **sets,
                }
            )
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def decisions(table, arms):
    names = ["f1", "f1_tuned", "mcc", "mcc_tuned", "roc_auc", "average_precision"]
    means = table.groupby(["arm", "set"])[[*names, "seconds"]].mean()
    complete = means["f1"].unstack("arm").dropna().index
    means = means[means.index.get_level_values("set").isin(complete)]
    found = means.groupby("arm").mean()
    seconds = means["seconds"].unstack("arm")
    found["seconds, ratio"] = np.exp(np.log(seconds.div(seconds[OWN], axis=0)).mean())
    return found.drop(columns="seconds").reindex([arm for arm in arms if arm in found.index])


def bars(table, others):
    """Print whether the bars of the protocol hold."""
    chosen = OURS[0]
    loss = per_set(table, chosen, OWN, "log_loss")
    if loss.empty:
        return
    ratio = np.exp(np.mean(np.log(loss["arm"] / loss["base"])))
    rows = {f"log loss of {chosen} to own, at most 1.02": (f"{ratio:.3f}", ratio <= 1.02)}
    for other in others:
        both = per_set(table, chosen, other, "log_loss")
        share = np.mean(both["arm"] < both["base"])
        rows[f"ahead of {other} in log loss, at least 80 % of sets"] = f"{share:.0%}", share >= 0.8
    found = pd.DataFrame(rows, index=["found", "holds"]).T
    found["holds"] = found["holds"].map({True: "yes", False: "no"})
    show("The bars", found)


def packages(table, others):
    rows = []
    for other in others:
        for ours in OURS:
            loss, ap = (
                per_set(table, ours, other, name) for name in ("log_loss", "average_precision")
            )
            if loss.empty:
                continue
            rows.append(
                {
                    "other": other,
                    "ours": ours,
                    "log loss, ahead": f"{np.sum(loss['arm'] < loss['base'])} of {len(loss)}",
                    "share": float(np.mean(loss["arm"] < loss["base"])),
                    "ratio": float(np.exp(np.mean(np.log(loss["arm"] / loss["base"])))),
                    "AP, ahead": f"{np.sum(ap['arm'] > ap['base'])} of {len(ap)}",
                    "difference": f"{ap['difference'].mean():+.4f}",
                }
            )
    return pd.DataFrame(rows)


def by_size(table, arms, positives):
    """Return the means over the sets of few, more and many positives."""
    columns = {}
    for name, low, high in (("under 50", 0, 50), ("50 to 199", 50, 200), ("200 up", 200, np.inf)):
        sets = positives[(positives >= low) & (positives < high)].index
        here, values = table[table["set"].isin(sets)], {}
        for arm in arms:
            ap, loss = (
                per_set(here, arm, OWN, measure) for measure in ("average_precision", "log_loss")
            )
            if len(ap):
                ratio = np.exp(np.mean(np.log(loss["arm"] / loss["base"])))
                values[arm] = f"{ratio:.3f}; {ap['difference'].mean():+.3f}"
        columns[f"{name} ({here['set'].nunique()} sets)"] = values
    return pd.DataFrame(columns).reindex(arms)


def gammas(table):
    rows = table[table["arm"] == "focal, gamma by inner folds"]
    return rows["gamma"].value_counts(normalize=True).sort_index().to_frame("share").T


def every_set(table):
    base = table[table["arm"] == OWN].groupby("set")[["average_precision", "log_loss"]].mean()
    columns = {
        "AP": base["average_precision"].map("{:.3f}".format),
        "log loss": base["log_loss"].map("{:.4f}".format),
    }
    for arm in ["gamma 0", *OURS[:2], "robust focal", "1 + p"]:
        ap, loss = (per_set(table, arm, OWN, name) for name in ("average_precision", "log_loss"))
        if ap.empty:
            continue
        ap, ratio = ap.set_index("set"), (loss["arm"] / loss["base"]).set_axis(loss["set"])
        text = ap["difference"].map("{:+.3f}".format) + " ± " + ap["error"].map("{:.3f}".format)
        columns[arm] = text + "; " + ratio.map("{:.2f}".format)
    return pd.DataFrame(columns).sort_index(key=lambda names: names.str.lower())


def noise(table, folder):
    """Print average precision and log loss on clean labels under each noise."""
    print("\n## noise")
    failures(table)
    as_is = table[table["view"] == AS_IS]
    rows = []
    for (kind, level), here in as_is.groupby(["noise", "level"], sort=False):
        for arm in pd.unique(here["arm"]):
            ap = per_set(here, arm, OWN, "average_precision")
            loss = per_set(here, arm, OWN, "log_loss")
            if ap.empty:
                continue
            error = ap["difference"].std() / np.sqrt(len(ap))
            rows.append(
                {
                    "noise": f"{kind}, {level:g}",
                    "arm": arm,
                    "AP": f"{ap['arm'].mean():.3f}",
                    "difference": f"{ap['difference'].mean():+.3f} ({error:.3f})",
                    "better, worse": _counts(ap["difference"]),
                    "log loss": f"{np.exp(np.mean(np.log(loss['arm'] / loss['base']))):.3f}",
                }
            )
    found = pd.DataFrame(rows)
    titles = {
        "AP": "average precision, mean over sets",
        "difference": "difference of average precision to own, and its standard error over sets",
        "better, worse": "sets with better and with worse average precision than own",
        "log loss": "log loss, ratio to own",
    }
    for value, title in titles.items():
        wide = found.pivot(index="noise", columns="arm", values=value)
        wide = wide.reindex(index=pd.unique(found["noise"]), columns=pd.unique(found["arm"]))
        show(f"Label noise: {title}", wide)


def confidence(table, folder):
    """Print and draw the log loss over the rounds."""
    print("\n## confidence")
    failures(table)
    mean = table.groupby(["arm", "view", "rounds", "set"])["log_loss"].mean()
    geometric = np.exp(np.log(mean).groupby(["arm", "view", "rounds"]).mean())
    show(
        "Log loss without early stopping, geometric mean over sets",
        geometric.unstack("rounds").rename(columns=int).reset_index(),
        "{:.4f}",
        index=False,
    )
    plot = _pyplot()
    figure, axes = plot.subplots(figsize=(7, 4), layout="constrained")
    for number, arm in enumerate(pd.unique(table["arm"])):
        for view, style in (("sigmoid", ":"), (AS_IS, "-"), ("temperature", "--")):
            line = geometric[arm, view]
            axes.plot(line.index, line, style, color=f"C{number}", label=f"{arm}, {view}")
    axes.set(xlabel="rounds", ylabel="log loss", yscale="log")
    axes.legend(fontsize="x-small", ncols=3)
    figure.savefig(folder / "confidence.png", dpi=150)


def ensemble(table, folder):
    print("\n## ensemble")
    failures(table)
    arms = sorted(arm for arm in pd.unique(table["arm"]) if arm != OWN)
    show("Means of four models against four seeds of own log loss", against(table, arms, OWN))
    gammas = [arm for arm in arms if arm.startswith("gammas")]
    show("Means of four models against four seeds of gamma 2", against(table, gammas, "gamma 2"))


def published(table, folder):
    print("\n## published")
    failures(table)
    for measure, name in (("f1", "F1 at 0.5"), ("roc_auc", "ROC AUC")):
        wide = table.pivot_table(index="set", columns="arm", values=measure, sort=False)
        wide = wide.reindex(columns=pd.unique(table["arm"]))
        wide.loc["mean"] = wide.mean()
        show(f"Protocol of arXiv:2407.14381: {name}, mean of five models", wide)


def figure_of_differences(table, path):
    """Draw each set's difference to own log loss, with the mean and its interval."""
    plot = _pyplot()
    as_is = table[(table["view"] == AS_IS) & table["log_loss"].notna()]
    arms = [arm for arm in pd.unique(as_is["arm"]) if arm != OWN][::-1]
    figure, panels = plot.subplots(1, 2, figsize=(10, 0.35 * len(arms) + 1.5), sharey=True,
                                   layout="constrained")  # fmt: skip
    rng = np.random.default_rng(0)
    for axes, measure, label in zip(
        panels,
        ("average_precision", "log_loss"),
        ("average precision, difference to own log loss", "log loss, ratio to own log loss"),
        strict=True,
    ):
        for height, arm in enumerate(arms):
            sets = per_set(as_is, arm, OWN, measure)
            if sets.empty:
                continue
            is_loss = measure == "log_loss"
            values = np.log(sets["arm"] / sets["base"]) if is_loss else sets["difference"]
            low, high = bootstrap_interval(values)
            points, ends = (np.exp(v) if is_loss else v for v in (values, np.array([low, high])))
            middle = np.exp(values.mean()) if is_loss else values.mean()
            spread = height + rng.uniform(-0.2, 0.2, size=len(values))
            axes.plot(points, spread, ".", color="0.6", markersize=4)
            axes.plot(ends, [height, height], color="C0", linewidth=3, alpha=0.6)
            axes.plot(middle, height, "o", color="C0")
        axes.axvline(1.0 if measure == "log_loss" else 0.0, color="black", linewidth=0.8)
        axes.set(xlabel=label, yticks=range(len(arms)), yticklabels=arms)
    panels[1].set_xscale("log")
    ticks = [value for value in (0.25, 0.5, 0.7, 1, 1.4, 2, 4, 8, 16, 32)
             if panels[1].get_xlim()[0] < value < panels[1].get_xlim()[1]]  # fmt: skip
    panels[1].set_xticks(ticks, [f"{value:g}" for value in ticks])
    panels[1].minorticks_off()
    figure.savefig(path, dpi=150)


def _pyplot():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
