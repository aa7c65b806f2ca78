/** A reason not to start that the user can do something about; its message is all that needs to be said. */
export class StartError extends Error {
  override readonly name = 'StartError'
}
