"""The five steps in one row: what is done, and the one that is next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from components import outage
from components.text import md, short
from components.vocabulary import Vocabulary, vocabulary
from dashboard import strings
from dashboard.domain.story import Step, StepKey, StepState


def steps_row(
    steps: Sequence[Step], *, on_press: Callable[[StepKey], None], said: Vocabulary | None = None
) -> None:
    """Draw the steps.

    The next step carries the page's only primary button; steps already done keep their result.

    Parameters
    ----------
    on_press
        Called with the step whose button was pressed.
    said
        The words for what runs; None for a summarizer's.
    """
    said = said or vocabulary(is_of_texts=True)
    with st.grid(len(steps), min_column_width=160, gap="small"):
        for step in steps:
            is_next = step.state is StepState.NEXT
            key = f"step_next_{step.key}" if is_next else f"step_{step.key}"
            with st.container(border=True, height="stretch", key=key, gap="xsmall"):
                st.markdown(_heading(step, said.step_titles[step.key]))
                detail = short(step.result, 60) if step.result else said.step_details[step.key]
                st.markdown(f":small[:gray[{md(detail)}]]")
                if is_next:
                    st.button(
                        strings.STEP_ACTIONS[step.key],
                        type=outage.primary(),
                        width="stretch",
                        key=f"home_next_{step.key}",
                        on_click=on_press,
                        args=(step.key,),
                    )


def _heading(step: Step, title: str) -> str:
    if step.state is StepState.DONE:
        return f"**:green[:material/check_circle:] {title}**"
    if step.state is StepState.NEXT:
        return f"**:primary[:material/arrow_circle_right:] {title}**"
    return f":gray[:material/circle: {title}]"
