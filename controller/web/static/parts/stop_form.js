// The form of a stop as entries of a round (the same reading as controller/web/round_form.py does without script), and
// entries that wait shown in it again.

const faults = (form) => {
  const found = {};
  for (const field of form.querySelectorAll('select[name^="fault."]')) {
    const fault = field.name.slice("fault.".length);
    const revision = Number(form.elements[`revision.${fault}`]?.value);
    if (field.value) found[fault] = { state: field.value, revision: Number.isInteger(revision) ? revision : null };
  }
  return found;
};

export const entries = (form) => {
  const found = [];
  for (const field of form.querySelectorAll('input[name^="check."]:checked')) {
    if (!field.defaultChecked) found.push({ kind: "check", body: { item: field.name.slice("check.".length), seen: field.value } });
  }
  for (const field of form.querySelectorAll('input[name^="part."]')) {
    if (field.value !== field.defaultValue && field.value !== "")
      found.push({ kind: "part", body: { part: field.name.slice("part.".length), count: Number(field.value) } });
  }
  const note = form.elements.note.value.trim();
  const outcome = form.elements.outcome?.value;
  if (outcome) found.push({ kind: "finish", body: { outcome, note, faults: faults(form) } });
  else if (note) found.push({ kind: "note", body: { note } });
  return found;
};

// Whether the server would send it back for want of a word; under the pole nobody is there to say so.
export const lacksReason = (found) =>
  found.some(
    ({ kind, body }) =>
      kind === "finish" &&
      !body.note &&
      (body.outcome === "could_not" || Object.values(body.faults).some((each) => each.state === "resolved")),
  );

// As the server will show it when it has them: what is written down is no longer a change.
export const show = (form, kept) => {
  for (const { kind, body } of kept) {
    if (kind === "check") {
      for (const field of form.querySelectorAll(`input[name="check.${CSS.escape(body.item)}"]`)) {
        field.defaultChecked = field.value === body.seen;
        field.checked = field.defaultChecked;
      }
    }
    if (kind === "part") {
      const field = form.elements[`part.${body.part}`];
      if (field) field.value = field.defaultValue = String(body.count);
    }
  }
};
