// The search of Sphinx, with pages that say how before those that say why, and with statuses such as 404.
"use strict";

const WEIGHTS = [
  [/^docs\/(adr|findings)\//, { adr: 0.2, findings: 0.9 }],
  [/^docs\//, 1.5],
  [/^(examples|etc)\//, 0.6],
  [/^(ARCHITECTURE|CHANGELOG|CONTRIBUTING|benchmarks\/)/, 0.3],
];

// searchtools.js has these numbers, and takes ours in their place.
var Scorer = {
  score([page, , , , score]) {
    const [, weight] = WEIGHTS.find(([pattern]) => pattern.test(page)) ?? [null, 1];
    return score * (typeof weight === "number" ? weight : weight[page.split("/")[1]]);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  const parse = Search._parseQuery;
  Search._parseQuery = (query) => {
    const parsed = parse(query);
    const [, terms, , highlighted] = parsed;
    for (const word of query.match(/\b[1-5][0-9][0-9]\b/g) ?? []) {
      terms.add(word);
      highlighted.add(word);
    }
    return parsed;
  };
});
