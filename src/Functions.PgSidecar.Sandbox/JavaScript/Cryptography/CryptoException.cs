namespace Functions.PgSidecar.Sandbox.JavaScript.Cryptography;

/// <summary>An operation of <c>crypto.subtle</c> that fails as the standard defines.</summary>
/// <param name="name">The DOMException's name: <c>OperationError</c>, <c>DataError</c>, <c>NotSupportedError</c>.</param>
/// <param name="message">What is wrong; it never contains parts of keys or plaintexts.</param>
internal sealed class CryptoException(string name, string message) : Exception(message)
{
    /// <summary>The DOMException's name.</summary>
    public string Name { get; } = name;

    /// <summary>The operation could not be done: wrong padding, a wrong tag, parameters out of range.</summary>
    public static CryptoException Operation(string message) => new("OperationError", message);

    /// <summary>The key's encoding is invalid.</summary>
    public static CryptoException InvalidData(string message) => new("DataError", message);

    /// <summary>The operation is not supported.</summary>
    public static CryptoException NotSupported(string message) => new("NotSupportedError", message);
}
