// The cases of @grpc/grpc-js, against the service of tests.support.grpc_service behind the proxy.
//
// node client.js FOLDER OF MODULES ADDRESS HOST [FILE OF AUTHORITIES]
//
// Each case prints a line of JSON: {"case": NAME} where it passed, with "error" where it did not.

"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");

const [modules, address, host, authorities] = process.argv.slice(2);
const grpc = require(path.join(modules, "@grpc/grpc-js"));
const credentials = authorities
  ? grpc.credentials.createSsl(fs.readFileSync(authorities))
  : grpc.credentials.createInsecure();
const client = new grpc.Client(address, credentials, {
  "grpc.default_authority": host,
  "grpc.ssl_target_name_override": host,
  "grpc.max_receive_message_length": 64 << 20,
  "grpc.use_local_subchannel_pool": 1,
});
const same = (data) => data;
const soon = (seconds = 20) => ({ deadline: Date.now() + 1000 * seconds });

// Ask for one message by one; resolves with the answer, the status and the trailing metadata.
function ask(method, message, options = soon()) {
  return new Promise((resolve, reject) => {
    const result = {};
    const call = client.makeUnaryRequest(
      method, same, same, Buffer.from(message), new grpc.Metadata(), options,
      (error, answer) => (error ? reject(error) : (result.answer = answer)),
    );
    call.on("status", (status) => resolve({ ...result, status }));
  });
}

// The error that a call fails with.
async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("the call succeeded");
}

// Everything that comes on a stream.
function all(stream) {
  return new Promise((resolve, reject) => {
    const found = [];
    stream.on("data", (data) => found.push(data));
    stream.on("error", reject);
    stream.on("end", () => resolve(found));
  });
}

const cases = {
  async unary() {
    for (const message of ["", "hello"]) {
      assert.strictEqual((await ask("/t.T/Echo", message)).answer.toString(), message);
    }
  },

  async large() {
    const message = Buffer.alloc(4 << 20, "x");
    assert.ok((await ask("/t.T/Echo", message)).answer.equals(message));
  },

  async trailing_metadata() {
    const { status } = await ask("/t.T/Echo", "hello");
    assert.deepStrictEqual(status.metadata.get("x-trailing"), ["yes"]);
  },

  async status() {
    const error = await failure(ask("/t.T/Echo", "fail"));
    assert.strictEqual(error.code, grpc.status.NOT_FOUND);
    assert.strictEqual(error.details, "nothing here: ä");
    const unknown = await failure(ask("/t.T/Unknown", ""));
    assert.strictEqual(unknown.code, grpc.status.UNIMPLEMENTED);
  },

  async server_streaming() {
    const stream = client.makeServerStreamRequest(
      "/t.T/Many", same, same, Buffer.from("abc"), new grpc.Metadata(), soon(),
    );
    assert.deepStrictEqual((await all(stream)).map(String), ["a", "b", "c"]);
  },

  client_streaming() {
    return new Promise((resolve, reject) => {
      const stream = client.makeClientStreamRequest(
        "/t.T/Joined", same, same, new grpc.Metadata(), soon(),
        (error, answer) => (error ? reject(error) : resolve(answer)),
      );
      stream.write(Buffer.from("a"));
      stream.end(Buffer.from("b"));
    }).then((answer) => assert.strictEqual(answer.toString(), "a,b"));
  },

  async bidi_streaming() {
    const stream = client.makeBidiStreamRequest(
      "/t.T/Each", same, same, new grpc.Metadata(), soon(),
    );
    for (let number = 0; number < 100; number++) {
      stream.write(Buffer.from(String(number)));
    }
    stream.end();
    const expected = Array.from({ length: 100 }, (_, number) => `re:${number}`);
    assert.deepStrictEqual((await all(stream)).map(String), expected);
  },

  ping_pong() {
    return new Promise((resolve, reject) => {
      const stream = client.makeBidiStreamRequest(
        "/t.T/Each", same, same, new grpc.Metadata(), soon(),
      );
      let number = 0;
      stream.on("error", reject);
      stream.on("end", () => resolve(number));
      stream.on("data", (data) => {
        assert.strictEqual(data.toString(), `re:${number}`);
        number++;
        if (number < 20) {
          stream.write(Buffer.from(String(number)));
        } else {
          stream.end();
        }
      });
      stream.write(Buffer.from("0"));
    }).then((number) => assert.strictEqual(number, 20));
  },

  async deadline() {
    const error = await failure(ask("/t.T/Echo", "slow", soon(0.3)));
    assert.strictEqual(error.code, grpc.status.DEADLINE_EXCEEDED);
    assert.strictEqual((await ask("/t.T/Echo", "next")).answer.toString(), "next");
  },

  async cancel() {
    const before = Number((await ask("/t.T/Ended", "")).answer);
    const stream = client.makeServerStreamRequest(
      "/t.T/Endless", same, same, Buffer.alloc(0), new grpc.Metadata(), soon(),
    );
    let received = 0;
    const error = await new Promise((resolve, reject) => {
      stream.on("data", () => ++received === 3 && stream.cancel());
      stream.on("error", resolve);
      stream.on("end", () => reject(new Error("the stream ended")));
    });
    assert.strictEqual(error.code, grpc.status.CANCELLED);
    // The service learns of it.
    while (Number((await ask("/t.T/Ended", "")).answer) <= before);
  },

  async slow_reader() {
    const stream = client.makeServerStreamRequest(
      "/t.T/Large", same, same, Buffer.alloc(0), new grpc.Metadata(), soon(),
    );
    let size = 0;
    let count = 0;
    for await (const data of stream) {
      size += data.length;
      // Other calls are not held up meanwhile.
      if (count++ % 8 === 0) {
        await ask("/t.T/Echo", "other");
      }
    }
    assert.strictEqual(size, 4 << 20);
  },

  async many() {
    const numbers = Array.from({ length: 200 }, (_, number) => String(number));
    const found = await Promise.all(numbers.map((number) => ask("/t.T/Echo", number)));
    assert.deepStrictEqual(found.map(({ answer }) => answer.toString()), numbers);
  },
};

async function main() {
  for (const [name, run] of Object.entries(cases)) {
    try {
      await run();
      console.log(JSON.stringify({ case: name }));
    } catch (error) {
      console.log(JSON.stringify({ case: name, error: String(error.stack) }));
    }
  }
  client.close();
}

main();
