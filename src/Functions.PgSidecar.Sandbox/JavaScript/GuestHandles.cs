namespace Functions.PgSidecar.Sandbox.JavaScript;

/// <summary>
/// Addresses in the guest's memory, found when the guest was prepared. They are part of its snapshot, so they are
/// the same in every instance of it.
/// </summary>
/// <param name="Bind">The prelude's <c>bind</c> function.</param>
/// <param name="Invoke">The prelude's <c>invoke</c> function.</param>
/// <param name="Complete">The prelude's <c>complete</c> function.</param>
/// <param name="Rejection">The prelude's <c>rejection</c> function.</param>
/// <param name="Undefined">The value undefined.</param>
/// <param name="Scratch"><see cref="ScratchBytes"/> bytes for arguments and results of the engine's own functions.</param>
/// <param name="RandomState">The state of Math.random (xorshift64*), 8 bytes.</param>
internal readonly record struct GuestHandles(int Bind, int Invoke, int Complete, int Rejection, int Undefined, int Scratch, int RandomState)
{
    /// <summary>Size of the scratch area: eight arguments, then four results.</summary>
    public const int ScratchBytes = 64;

    /// <summary>Where results begin in the scratch area.</summary>
    public const int ResultOffset = 32;
}
