/*
 * Shares one stream between all pages of a browser.
 */

import { openStream } from "./stream.js";

const ports = new Set();
let last = null;
let close = null;

function say(message) {
  last = message;
  for (const port of ports) {
    port.postMessage(message);
  }
}

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => {
    if (data === "follow") {
      ports.add(port);
      if (close === null) {
        close = openStream(say);
      } else if (last !== null) {
        port.postMessage(last);
      }
    } else {
      ports.delete(port);
      if (!ports.size && close !== null) {
        close();
        close = last = null;
      }
    }
  };
};
