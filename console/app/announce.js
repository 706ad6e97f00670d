/* Says what happened to who hears the page rather than sees it. */

export function announce(text) {
  const place = document.getElementById("announced");
  place.textContent = "";
  setTimeout(() => (place.textContent = text), 50);
}
