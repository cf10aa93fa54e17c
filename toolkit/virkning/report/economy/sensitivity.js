// Recomputes a cost–benefit analysis in the page when the reader moves an assumption: the same arithmetic as
// virkning.economy.model, for the central case. Asks no server for anything.
(() => {
  "use strict";
  const MINUS = "\u2212";

  // How much of the effect is left in each year since a person began.
  function profile(line, value, fade, years) {
    if (line.fixed) return line.fixed;
    const duration = value[line.duration];
    const left = new Array(years).fill(0);
    const how = line.path || fade === null || fade.type === "declared" ? line.persistence : fade;
    for (let year = line.start; year < years; year += 1) {
      const since = year - line.start;
      const part = Math.min(Math.max(duration - since, 0), 1);
      if (part <= 0) continue;
      if (line.path) {
        if (since >= line.path.values.length) continue;
        left[year] = part * (line.path.values[since]
          + (value[line.path.effect] - line.path.headline) * line.path.slopes[since]);
      } else if (how.type === "linear") {
        left[year] = part * (1 - (since + part / 2) / duration);
      } else if (how.type === "exponential") {
        const drop = how === line.persistence ? value[line.drop] : how.drop;
        left[year] = part * (1 - drop) ** since;
      } else if (how.type === "measured") {
        left[year] = since < how.shares.length ? part * how.shares[since] : 0;
      } else {
        left[year] = part;
      }
    }
    return left;
  }

  // What one unit of each year is worth now; each rate in its own years, or the later one for the whole time.
  function factors(rates, bands, shift, years) {
    const found = [];
    for (let year = 0; year < years; year += 1) {
      const when = rates.half_year ? Math.max(year - 0.5, 0) : year;
      let log = 0;
      let begins = 0;
      for (const [last, rate] of bands) {
        const ends = last === null ? Infinity : last;
        const growth = Math.log1p(rate + shift);
        if (rates.chained) log -= growth * Math.max(Math.min(when, ends) - begins, 0);
        else if (when > begins && when <= ends) log = -growth * when;
        begins = ends;
      }
      found.push(Math.exp(log));
    }
    return found;
  }

  // Present value of every party in both views, and each one's budget year by year.
  function compute(model, value, chosen) {
    const years = model.horizon + 1;
    const money = factors(chosen.rates, chosen.rates.bands, chosen.shift, years);
    const health = factors(chosen.rates, chosen.rates.health_bands, chosen.shift, years);
    const budget = model.parties.map(() => new Array(years).fill(0));
    const welfare = model.parties.map(() => new Array(years).fill(0));
    for (const line of model.lines) {
      const quantity = line.inputs.reduce((product, name) => product * value[name], line.scale);
      const left = profile(line, value, chosen.fade, years);
      const factor = line.is_health ? health : money;
      line.shares.forEach((share, party) => {
        if (share === null) return;
        for (let year = 0; year < years; year += 1) {
          let moved = 0;
          for (let since = 0; since <= year; since += 1) {
            moved += left[since] * share[Math.min(since, share.length - 1)] * line.intake[year - since];
          }
          const stream = quantity * moved * factor[year];
          if (line.is_cash) budget[party][year] += stream;
          welfare[party][year] += line.welfare_factor * stream;
        }
      });
    }
    if (model.distortion) {
      const last = model.parties.length - 1;
      model.parties.forEach((party, index) => {
        if (party.kind !== "public") return;
        for (let year = 0; year < years; year += 1) welfare[last][year] += model.distortion * budget[index][year];
      });
    }
    return { budget, welfare };
  }

  const sum = (values) => values.reduce((total, one) => total + one, 0);

  function cumulative(values) {
    let total = 0;
    return values.map((one) => { total += one; return total; });
  }

  // First year from which the balance stays at or above zero; null when it ends below.
  function breakEven(balance) {
    const tolerance = 1e-9 * Math.max(...balance.map(Math.abs), 0);
    let year = balance.length;
    while (year > 0 && balance[year - 1] >= -tolerance) year -= 1;
    return year === balance.length ? null : year;
  }

  function digits(size) { return size >= 100 ? 0 : size >= 10 ? 1 : 2; }

  function said(amount) {
    const size = Math.abs(amount);
    const part = size >= 1e6 ? size / 1e6 : size;
    const text = part.toLocaleString("en", { minimumFractionDigits: digits(part), maximumFractionDigits: digits(part) });
    const zero = Number(text.replace(/,/g, "")) === 0;
    return `${amount < 0 && !zero ? MINUS : ""}${text}${size >= 1e6 ? " million" : ""}`;
  }

  function draw(svg, model, before, now) {
    const [width, height, side, foot] = [320, 150, 8, 16];
    const all = [...before, ...now, 0];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const across = (year) => side + (year / model.horizon) * (width - 2 * side);
    const up = (amount) => 6 + ((high - amount) / (high - low || 1)) * (height - foot - 12);
    const path = (values) => values.map((v, year) => `${year ? "L" : "M"}${across(year).toFixed(1)} ${up(v).toFixed(1)}`).join("");
    const texts = [[0, "start"], [model.horizon, "end"]].map(([year, anchor]) =>
      `<text x="${across(year)}" y="${height - 3}" text-anchor="${anchor}">${model.start_year + year}</text>`);
    svg.innerHTML = `<line class="vk-zero" x1="${side}" x2="${width - side}" y1="${up(0)}" y2="${up(0)}"/>`
      + `<path class="vk-before" d="${path(before)}"/><path class="vk-now" d="${path(now)}"/>${texts.join("")}`;
  }

  function start(root) {
    const model = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const inputs = [...root.querySelectorAll("input[data-input]")];
    const one = (name) => root.querySelector(`[data-choice="${name}"]`);
    const central = Object.fromEntries(Object.entries(model.inputs).map(([name, item]) => [name, item.central]));
    const declared = { rates: model.rates.declared, shift: 0, fade: null };
    const before = compute(model, central, declared);

    function chosen() {
      const rates = one("rates").value;
      const fade = one("fade").value;
      return {
        rates: rates === "constant"
          ? { ...model.rates.declared, chained: true,
            bands: [[null, Number(one("rate").value) / 100]], health_bands: [[null, Number(one("rate").value) / 100]] }
          : { ...model.rates[rates], half_year: model.rates.declared.half_year },
        shift: Number(one("shift").value) / 100,
        fade: fade === "declared" ? null : { type: fade, drop: Number(one("drop").value) / 100 },
      };
    }

    function show() {
      const value = { ...central };
      for (const field of inputs) {
        // A field shows six digits; until it is touched, the exact value counts.
        const isMoved = field.type === "number" && field.value !== field.defaultValue;
        if (isMoved && field.value !== "" && field.validity.valid) value[field.dataset.input] = Number(field.value);
      }
      const now = compute(model, value, chosen());
      const lines = [];
      for (const row of root.querySelectorAll("tr[data-party]")) {
        const party = row.dataset.party;
        const members = model.groups[party];
        for (const view of ["budget", "welfare"]) {
          const cell = row.querySelector(`[data-view="${view}"]`);
          if (!cell) continue;
          const net = sum(members.map((index) => sum(now[view][index])));
          cell.dataset.value = String(net);
          cell.textContent = said(net);
        }
        const cell = row.querySelector("[data-year]");
        if (cell) {
          const net = now.budget[0].map((_, year) => sum(members.map((index) => now.budget[index][year])));
          const year = breakEven(cumulative(net));
          cell.dataset.value = year === null ? "never" : String(year);
          cell.textContent = year === null ? `not by ${model.start_year + model.horizon}` : `${year} (${model.start_year + year})`;
          lines.push([row.querySelector("th").textContent, sum(net), year]);
        }
      }
      const members = model.groups[one("payer").value];
      const of = (found) => cumulative(found.budget[0].map((_, year) => sum(members.map((index) => found.budget[index][year]))));
      draw(root.querySelector("svg"), model, of(before), of(now));
      const [who, net, year] = lines[0] || ["Society", sum(now.welfare.map(sum)), undefined];
      root.querySelector("[data-sentence]").textContent = `${who}: ${model.currency} ${said(net)} net`
        + (year === undefined ? "." : year === null ? `, not earned back by ${model.start_year + model.horizon}.` : `, earned back in year ${year} (${model.start_year + year}).`);
      one("rate").disabled = one("rates").value !== "constant";
      one("drop").disabled = one("fade").value !== "exponential";
      for (const field of inputs) field.closest(".vk-input").classList.toggle("vk-moved", field.value !== field.defaultValue);
    }

    root.addEventListener("input", (event) => {
      const field = event.target;
      if (field.dataset.input) {
        for (const twin of inputs) if (twin !== field && twin.dataset.input === field.dataset.input) twin.value = field.value;
      }
      show();
    });
    root.addEventListener("change", show);
    root.querySelector("button").addEventListener("click", () => { root.querySelector("form").reset(); show(); });
    root.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    root.hidden = false;
    show();
  }

  for (const root of document.querySelectorAll(".vk-sensitivity[hidden]")) start(root);
})();
