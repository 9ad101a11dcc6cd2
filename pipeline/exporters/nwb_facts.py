"""What NWB wants to know of an experiment, and what of it is not known yet."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from pipeline.checks import check_in_range, check_one_of

IMAGING = ("two-photon", "one-photon")
SEXES = {"female": "F", "male": "M", "F": "F", "M": "M", "U": "U", "O": "O"}
SPECIES = re.compile(r"[A-Z][a-z]+ [a-z]+.*|http://purl\.obolibrary\.org/obo/NCBITaxon_\d+")
AGE = re.compile(r"P(?=.)(\d+(\.\d+)?Y)?(\d+(\.\d+)?M)?(\d+(\.\d+)?W)?(\d+(\.\d+)?D)?")

NEEDED = {
    "session_start_time": "when it began, with the time zone: 2026-11-22T14:03:00+01:00",
    "imaging": "two-photon or one-photon",
    "species": "in Latin: Mus musculus",
    "sex": "F, M, O for other, U for unknown",
    "age": "as P90D for 90 days; or date_of_birth",
    "device": "the name of the microscope",
    "indicator": "as GCaMP6s",
    "excitation_nm": "wavelength of the light in, as 920",
    "emission_nm": "wavelength of the light out, as 525",
    "location": "the part of the brain, of a mouse as the Allen atlas has it: VISp",
}
"""What a file cannot be without, and what it looks like."""


@dataclass(frozen=True, kw_only=True)
class NwbFacts:
    """What people know and the tables may lack; None: not told.

    Raises
    ------
    ValueError
        If a value cannot be.
    """

    session_start_time: str | datetime | None = None
    """When the first frame was taken, with its time zone."""

    imaging: str | None = None
    """``two-photon`` or ``one-photon``."""

    species: str | None = None
    """In Latin."""

    sex: str | None = None
    """F, M, O or U."""

    age: str | None = None
    """As ISO 8601 has it: P90D."""

    date_of_birth: str | date | None = None
    """Where the age is not told."""

    genotype: str | None = None
    """Of the animal."""

    strain: str | None = None
    """Of the animal."""

    weight: str | None = None
    """With its unit: 0.023 kg."""

    device: str | None = None
    """Name of the microscope."""

    device_description: str | None = None
    """What it is."""

    device_manufacturer: str | None = None
    """Who made it."""

    indicator: str | None = None
    """What glows."""

    excitation_nm: float | None = None
    """Wavelength of the light in, in nanometres."""

    emission_nm: float | None = None
    """Wavelength of the light out, in nanometres."""

    location: str | None = None
    """Part of the brain."""

    lab: str | None = None
    """Whose experiment it is."""

    institution: str | None = None
    """Where that is."""

    experimenter: str | list[str] | None = None
    """As ``Family, Given``; several in a list."""

    experiment_description: str | None = None
    """What it was about."""

    keywords: str | list[str] | None = None
    """For those who search."""

    def __post_init__(self) -> None:
        if self.imaging is not None:
            check_one_of("imaging", self.imaging, IMAGING)
        if self.sex is not None:
            check_one_of("sex", self.sex, tuple(SEXES))
        for name in ("excitation_nm", "emission_nm"):
            value = getattr(self, name)
            if value is not None:
                check_in_range(name, _number(name, value), 200, 2000)
        self._check_form("species", SPECIES, "in Latin, as Mus musculus")
        self._check_form("age", AGE, "as P90D, for 90 days")
        if self.session_start_time is not None and _time(self.session_start_time).tzinfo is None:
            raise ValueError(
                "session_start_time must have a time zone, as 2026-11-22T14:03:00+01:00; got "
                f"{self.session_start_time}."
            )
        if self.date_of_birth is not None:
            _time(str(self.date_of_birth))

    def _check_form(self, name: str, form: re.Pattern[str], example: str) -> None:
        value = getattr(self, name)
        if value is not None and not form.fullmatch(value):
            raise ValueError(f"{name} must be written {example}; got {value!r}.")

    @property
    def began(self) -> datetime:
        """When the first frame was taken."""
        return _time(self.session_start_time or "")

    @property
    def born(self) -> datetime | None:
        """When the animal was born, at midnight where the experiment was."""
        if self.date_of_birth is None:
            return None
        return _time(str(self.date_of_birth)).replace(tzinfo=self.began.tzinfo)


def _time(value: str | datetime) -> datetime:
    """Return a time, or refuse what is none."""
    try:
        return value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(
            f"a time is written as 2026-11-22T14:03:00+01:00; got {str(value)[:40]!r}."
        ) from None


def _number(name: str, value: object) -> float:
    """Return a number, or refuse what is none."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number; got {value!r}.") from None


def facts_from(*told: Mapping[str, Any]) -> NwbFacts:
    """Put together what is told in several places.

    Parameters
    ----------
    *told : mapping
        Names of `NwbFacts` with values; later ones win, and None and "" tell nothing.

    Raises
    ------
    ValueError
        If a name is not known, or a value cannot be.
    """
    known = [field.name for field in fields(NwbFacts)]
    together: dict[str, Any] = {}
    for one in told:
        unknown = sorted(set(one) - set(known))
        if unknown:
            raise ValueError(f"NWB facts are {', '.join(known)}; got {', '.join(unknown)}.")
        together |= {name: value for name, value in one.items() if value not in (None, "")}
    for name in ("excitation_nm", "emission_nm"):
        if name in together:
            together[name] = _number(name, together[name])
    return NwbFacts(**together)


def check_complete(facts: NwbFacts) -> None:
    """Refuse to write a file that would lack what NWB needs; all of it is named at once.

    Parameters
    ----------
    facts : NwbFacts
        What is known.

    Raises
    ------
    ValueError
        If something is missing; nothing is made up in its place.
    """
    missing = [name for name in NEEDED if getattr(facts, name) is None]
    if facts.date_of_birth is not None and "age" in missing:
        missing.remove("age")
    if missing:
        words = "; ".join(f"{name} ({NEEDED[name]})" for name in missing)
        raise ValueError(
            f"NWB needs what the project does not know: {words}. Write them into a file as "
            'name = "value" lines and give it with --facts, or each with --fact name=value.'
        )
