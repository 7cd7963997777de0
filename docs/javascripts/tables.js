// Tables of words stand as cards on a telephone (site.css); there each cell says its column. Tables of
// figures, whose rows are compared, stay tables and move sideways. Lines break before an option of a
// command, never behind its hyphens.
const figure = /^[+−-]?[\d.][^a-z]{0,20}$/;
// Behind a slash, and behind a dot that is not that of a file's ending.
const joint = /\/|\.(?!(?:csv|gpkg|html|json|md|nc|parquet|py|sh|smk|tif|ya?ml|zarr)\b)/g;

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("article table:not([class])")) {
    const names = [...table.querySelectorAll("thead th")].map((cell) => cell.textContent.trim());
    const rows = [...table.querySelectorAll("tbody tr")].map((row) => [...row.cells].slice(1));
    const figures = rows.flat().filter((cell) => figure.test(cell.textContent.trim()));
    for (const cell of figures) cell.dataset.figure = "";
    table.dataset.of = 2 * figures.length > rows.flat().length ? "figures" : "words";
    for (const code of table.querySelectorAll("tbody td code")) {
      const parts = code.textContent.split(/(?<=[./ ])/); // long keys and paths break here, no name within
      if (code.children.length || !(code.matches("td:first-child code") || parts.every((part) => part.length < 30))) continue;
      code.innerHTML = code.innerHTML.replace(joint, "$&<wbr>");
      code.dataset.parts = "";
    }
    if (names.length > 2) for (const row of rows) row.forEach((cell, i) => (cell.dataset.column = names[i + 1]));
  }
  for (const code of document.querySelectorAll("article :not(pre) > code")) {
    if (!code.closest("td") && !code.children.length) code.innerHTML = code.innerHTML.replace(/\/(?=.)/g, "/<wbr>");
    code.innerHTML = code.innerHTML.replace(/(^|\s)(--?[a-z][\w-]*)/g, '$1<span data-option>$2</span>');
  }
});
