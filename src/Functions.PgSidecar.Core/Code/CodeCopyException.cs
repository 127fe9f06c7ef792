namespace Functions.PgSidecar.Core.Code;

/// <summary>A copy of a version's code can't be used; another one may do.</summary>
internal sealed class CodeCopyException(string message, bool isPassing, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>Whether it may be usable later: its bucket could not be reached.</summary>
    public bool IsPassing => isPassing;
}
