"""Events of A/B tests. https://docs.customer.io/integrations/api/cdp/ab-test/."""

from typing import ClassVar, Final, Literal

from pipeline.core.api.common import API, Named
from pipeline.core.api.events import Event


class Experiment(Named):
    """An A/B test, and the variant that somebody saw."""

    experiment_id: str | None = None
    experiment_name: str | None = None
    variation_id: str | None = None
    variation_name: str | None = None


class ExperimentViewed(Event):
    """Somebody saw a variant of an A/B test."""

    vocabulary: ClassVar[str] = "A/B testing"
    page: ClassVar[str] = f"{API}ab-test/"

    event: Literal["Experiment Viewed"] = "Experiment Viewed"
    properties: Experiment | None = None


AB_TESTING: Final[tuple[type[Event], ...]] = (ExperimentViewed,)
