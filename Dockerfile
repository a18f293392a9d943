# The service as an image: built from this repository, run without root, on a read-only root file system.
#
#   docker build -t mcprank:0.2.0 .
#   docker run --read-only --tmpfs /tmp -v mcprank:/data -p 8787:8787 mcprank:0.2.0
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && npm run console && npm prune --omit=dev

FROM node:24.21.0-bookworm-slim
ENV NODE_ENV=production MCPRANK_HOST=0.0.0.0 MCPRANK_PORT=8787 MCPRANK_DATA_DIR=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/bin ./bin
COPY --from=build /app/dist ./dist
COPY --from=build /app/console/dist ./console/dist
COPY --from=build /app/model ./model
COPY --from=build /app/starter ./starter
# A number, so that an orchestrator can see that it is not root.
RUN mkdir -m 0700 /data && chown 10001:10001 /data
USER 10001:10001
VOLUME /data
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.MCPRANK_PORT}/healthz`).then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=8", "bin/mcprank.js"]
CMD ["serve"]
