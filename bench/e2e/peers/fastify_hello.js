// fastify_hello.js PORT PROCESSES: POST /hello in Fastify, on Node's cluster.
'use strict';
const cluster = require('node:cluster');

const [port, processes] = process.argv.slice(2).map(Number);

if (cluster.isPrimary) {
  for (let i = 0; i < processes; ++i) cluster.fork();
  cluster.on('exit', () => process.exit(1));
} else {
  const app = require('fastify')({logger: false});
  app.post('/hello', async (request, reply) => {
    reply.type('text/plain');
    return 'hello';
  });
  app.listen({port, host: '127.0.0.1', backlog: 4096});
}
