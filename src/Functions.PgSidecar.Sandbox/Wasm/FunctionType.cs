using System.Collections.Immutable;

namespace Functions.PgSidecar.Sandbox.Wasm;

/// <summary>The parameters and results of a function or block. Two types are equal when their parts are.</summary>
public sealed class FunctionType(ImmutableArray<ValueType> parameters, ImmutableArray<ValueType> results) : IEquatable<FunctionType>
{
    public ImmutableArray<ValueType> Parameters { get; } = parameters;

    public ImmutableArray<ValueType> Results { get; } = results;

    public bool Equals(FunctionType? other) =>
        other is not null && Parameters.AsSpan().SequenceEqual(other.Parameters.AsSpan()) && Results.AsSpan().SequenceEqual(other.Results.AsSpan());

    public override bool Equals(object? obj) => Equals(obj as FunctionType);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var type in Parameters)
            hash.Add(type);
        hash.Add(-1);
        foreach (var type in Results)
            hash.Add(type);
        return hash.ToHashCode();
    }

    public override string ToString() => $"({string.Join(' ', Parameters)}) -> ({string.Join(' ', Results)})".ToLowerInvariant();
}
