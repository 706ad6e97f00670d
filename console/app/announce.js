/* Tells people who use a screen reader what happened. */

export function announce(text) {
  const place = document.getElementById("announced");
  place.textContent = "";
  setTimeout(() => (place.textContent = text), 50);
}
