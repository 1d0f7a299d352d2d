/*
 * The stream of what has changed at the server. It comes back by itself after a restart.
 */

const RETRY = 1500; // milliseconds
const PAUSE = 10000; // between two looks while too many browsers follow
const SILENCE = 35000; // the server says something every fifteen seconds

/**
 * @param {(message: {state: string, change?: object}) => void} say is told of each event.
 * @returns {() => void} ends the stream.
 */
export function openStream(say) {
  let source = null;
  let timer = 0;

  function open() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource("/live");
    source.onmessage = (event) => {
      watch();
      say({ state: "live", change: JSON.parse(event.data) });
    };
    source.addEventListener("beat", watch);
    source.addEventListener("full", (event) => {
      source.close();
      clearTimeout(timer);
      timer = setTimeout(open, PAUSE);
      say({ state: "full", change: JSON.parse(event.data) });
    });
    source.onerror = () => {
      say({ state: "lost" });
      // It tries again by itself only after some of the failures.
      clearTimeout(timer);
      timer = setTimeout(open, RETRY);
    };
    watch();
  }

  function watch() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      say({ state: "lost" });
      open();
    }, SILENCE);
  }

  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
