import "bootstrap";
import htmx from "htmx.org";
import "htmx-ext-sse";

// Extensions and inline handlers look for it there.
window.htmx = htmx;
