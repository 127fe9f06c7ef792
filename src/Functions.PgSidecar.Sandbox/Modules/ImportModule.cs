namespace Functions.PgSidecar.Sandbox.Modules;

/// <summary>
/// An import module that the host adds to those of WASI and to <c>pgfn</c>. Besides its own functions it has the functions of <c>pgfn</c>
/// that every such module needs: variables, the log, and what reads results and bodies.
/// </summary>
/// <param name="Name">Its name in the imports of guests.</param>
/// <param name="Imports">Its own functions.</param>
public sealed record ImportModule(string Name, IReadOnlyList<ModuleImport> Imports);

/// <summary>A function of an <see cref="ImportModule"/>. It takes buffers of the guest and returns a <see cref="CallStatus"/>.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Buffers">How many buffers it takes; each is two parameters, an address and a length. At most 8.</param>
/// <param name="Handler">
/// Serves calls, on the guest's thread, which may wait. It is called only with buffers that are wholly inside the guest's memory and
/// together no longer than the arguments of a call may be; other calls end with a status before.
/// </param>
public sealed record ModuleImport(string Name, int Buffers, ImportHandler Handler);

/// <summary>Serves a call of a guest.</summary>
/// <param name="call">The call.</param>
/// <returns>How it ended: what a method of the call returned.</returns>
public delegate CallStatus ImportHandler(in ImportCall call);
