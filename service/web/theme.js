// The theme, before anything is painted: auto, light or dark, kept in this browser. A plain script, so that it blocks.
(() => {
  const KEY = "promise-theme";
  const CHOICES = ["auto", "light", "dark"];
  const root = document.documentElement;

  /** A browser may refuse storage; then the choice lasts as long as the page. */
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const store = (choice) => {
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      /* nothing to keep it in */
    }
  };

  let choice = CHOICES.includes(stored()) ? stored() : "auto";
  const apply = () => {
    if (choice === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${choice}`;
  };

  apply();
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme")?.addEventListener("click", () => {
      choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
      store(choice);
      apply();
    });
  });
})();
