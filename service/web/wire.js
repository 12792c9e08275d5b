// What goes over the wire for this view: the call as a command, and the answer as it came.

import { $ } from "./dom.js";
import { given } from "./key.js";
import { curl } from "./request.js";

const SAID_MS = 1600;

export function wire() {
  const button = $("copy");
  const command = $("curl");

  /** Where the clipboard is closed to pages (plain HTTP), the text is marked, ready for the reader's own copy. */
  async function copy() {
    try {
      await navigator.clipboard.writeText(command.textContent ?? "");
      button.textContent = "Copied";
    } catch {
      getSelection()?.selectAllChildren(command);
      button.textContent = "Marked";
    }
    setTimeout(() => {
      button.textContent = "Copy curl";
    }, SAID_MS);
  }
  button.addEventListener("click", copy);

  return {
    /** @param {{body: object, headers: Record<string, string>}[]} requests @param {any[] | null} answers */
    draw(requests, answers) {
      command.textContent = requests
        .map((request) => curl(request, new URL("recommend", document.baseURI).href, given()))
        .join("\n\n");
      if (answers) $("raw").textContent = answers.map((answer) => JSON.stringify(answer, null, 1)).join("\n\n");
    },
  };
}
