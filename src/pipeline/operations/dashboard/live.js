// Read the page anew now and then. What is open stays open; a page that is old, or cannot be
// read, says so.
const seconds = Number(document.currentScript.dataset.seconds);
const main = document.getElementById("main");
const title = document.title;
async function look() {
  try {
    const answer = await fetch(location.pathname, { headers: { "X-Part": "main" } });
    if (!answer.ok) throw new Error(answer.status);
    const open = [...main.querySelectorAll("details")].map((one) => one.open);
    const focused = [...main.querySelectorAll("summary, .scroll")].indexOf(document.activeElement);
    main.innerHTML = await answer.text();
    main.querySelectorAll("details").forEach((one, n) => { one.open = Boolean(open[n]); });
    if (focused >= 0) main.querySelectorAll("summary, .scroll")[focused]?.focus();
    const at = Date.parse(main.querySelector("time")?.dateTime ?? "");
    main.classList.toggle("stale", Date.now() - at > Math.max(180, 12 * seconds) * 1000);
    const said = main.querySelector(".said");
    document.title = said?.classList.contains("bad") ? `(!) ${title}` : title;
  } catch (error) {
    main.classList.add("stale");
  }
}
setInterval(look, seconds * 1000);
