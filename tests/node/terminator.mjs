// Lets a client that speaks only https to api.DOMAIN reach a daemon that speaks http on this machine. This program is
// the client's proxy, and also the server behind the proxy.
//
//   node terminator.mjs CERTIFICATE KEY HOST:PORT ANSWERS_LOST
//
// Prints its port on the first line, then each request with the status of the daemon's answer. The first ANSWERS_LOST
// answers are lost: the daemon has accepted the request, and the client gets 503. Ends when its standard input ends.
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

const [certificate, key, daemon, lost] = process.argv.slice(2);
const [host, port] = daemon.split(':');
let toLose = Number(lost);

const tls = createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (asked, answer) => {
  const { method, url, headers } = asked;
  const passed = request({ host, port, method, path: url, headers }, (answered) => {
    console.log(method, url, answered.statusCode);
    const isLost = toLose > 0;
    toLose -= 1;
    answer.writeHead(isLost ? 503 : answered.statusCode, answered.headers);
    answered.pipe(answer);
  });
  passed.on('error', () => answer.destroy());
  asked.pipe(passed);
});

const proxy = createServer();
proxy.on('connect', (_, socket) => {
  socket.on('error', () => socket.destroy());
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  tls.emit('connection', socket);
});
proxy.listen(0, '127.0.0.1', () => console.log(proxy.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
