// Loads MathJax, once, and only on pages that have formulas: it is two megabytes, and this file is named twice in a page.
(() => {
  if (window.virkningMath) return;
  window.virkningMath = true;
  const here = document.currentScript.src;
  const load = () => {
    if (!document.querySelector(".math")) return;
    const script = document.createElement("script");
    script.src = new URL("../mathjax/tex-svg.js", here);
    document.head.append(script);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", load);
  else load();
})();
