import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { MessageInvalidError, mediaTypes, routes } from '@mynah/replication/protocol'
import { Ajv } from 'ajv'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { refuseOtherMethods } from '../http/failures.js'
import { needs } from '../routes/scope.js'
import { version } from '../version.js'
import { documentOperations } from './document-operations.js'
import { failure, type Operation, type Schema, schemaOf } from './operation.js'
import { replicationOperations } from './replication-operations.js'
import { serverOperations } from './server-operations.js'

/** Below it is a page that shows the description, and tries it. */
const PAGE = '/openapi'

/** All of the page is the package's own, and asks nobody but this server. */
const CSP =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"

const operations: Readonly<Record<string, Operation>> = {
  ...documentOperations,
  ...serverOperations,
  ...replicationOperations,
}

/**
 * Gives each route that is registered from now on the operation of its method and path: what validates its query is what
 * `/openapi.json` says of it. A route that no operation describes does not start.
 */
export async function describeRoutes(fastify: FastifyInstance): Promise<void> {
  const ajv = new Ajv({ strict: false })
  fastify.setValidatorCompiler<Schema>(({ schema, httpPart }) =>
    // Bodies are bytes here: what they hold is checked by who takes them apart. So is what the protocol asks.
    httpPart === 'querystring' && schema.checkedBy === undefined ? ajv.compile(schema) : () => true,
  )
  fastify.setSchemaErrorFormatter(
    ([error]) =>
      new MessageInvalidError('query', `${error?.instancePath.slice(1)} ${error?.message ?? ''}`.trim()),
  )
  // Answers are text and bytes already.
  fastify.setSerializerCompiler(() => (value) => JSON.stringify(value))
  fastify.addHook('onRoute', (route) => {
    if (route.schema === undefined) route.schema = schemaFor(route, fastify.prefix)
  })
  fastify.addSchema(failure)
  await fastify.register(swagger, {
    hideUntagged: true,
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, i) => String($id ?? `def-${i}`) },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Mynah mirror',
        version,
        description:
          'Documents, databases and keys of a mirror. Errors are `{ code, message }`: branch on the code.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
    transform({ schema, url, route }) {
      const rest = url.endsWith(routes.key) ? 'key' : 'id'
      const security = route.config?.right === 'open' ? [] : [{ token: [] }]
      return { schema: { ...renamed(schema, rest), security }, url: url.replace('*', `:${rest}`) }
    },
  })
}

/** `/openapi.json`, and a page that tries it: both of the package, with nothing from elsewhere. */
export async function referenceRoutes(fastify: FastifyInstance): Promise<void> {
  let description: string | undefined
  fastify.get(routes.openapi, needs('open'), async (_request, reply) => {
    description ??= JSON.stringify(fastify.swagger())
    return await reply.type(mediaTypes.json).send(description)
  })
  refuseOtherMethods(fastify, routes.openapi, ['GET'], 'open')
  await fastify.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, right: 'open' }
      route.schema = { ...route.schema, hide: true } as FastifySchema
    })
    await scope.register(swaggerUi, { routePrefix: PAGE, staticCSP: CSP, uiConfig: { deepLinking: false } })
  })
}

function schemaFor({ method, url, config }: RouteOptions, prefix: string): FastifySchema {
  const methods = [method].flat()
  const pattern = url.slice(prefix.length)
  // The methods that a path does not have, and what follows from another: HEAD and OPTIONS.
  const isOwn = methods.length === 1 && methods[0] !== 'OPTIONS' && methods[0] !== 'HEAD'
  const operation = isOwn ? operations[`${methods[0]} ${pattern}`] : undefined
  if (isOwn && operation === undefined && !pattern.startsWith(PAGE))
    throw new TypeError(`${methods[0]} ${pattern} is not described (${JSON.stringify(config?.right)})`)
  return operation === undefined ? ({ hide: true } as FastifySchema) : schemaOf(operation, pattern)
}

/** A path's rest has a name in OpenAPI. */
function renamed(schema: FastifySchema, name: string): FastifySchema {
  const { params, ...rest } = schema as FastifySchema & { readonly params?: { readonly properties: Schema } }
  if (params?.properties['*'] === undefined) return schema
  const { '*': last, ...before } = params.properties
  return { ...rest, params: { ...params, properties: { ...before, [name]: last } } } as FastifySchema
}
