using Functions.PgSidecar.Sandbox.Wasmtime;
using Values = Functions.PgSidecar.Sandbox.Wasmtime.ComponentValues;

namespace Functions.PgSidecar.Sandbox.Components.Http;

/// <summary>The resource <c>fields</c> of <c>wasi:http/types</c>.</summary>
internal static class FieldsFunctions
{
    public const string Types = "wasi:http/types";

    [ComponentFunction(Types, "[constructor]fields")]
    public static void New(in ComponentCall call) => call.Return(Own(call, new HttpFields()));

    [ComponentFunction(Types, "[static]fields.from-list")]
    public static void FromList(in ComponentCall call)
    {
        var fields = new HttpFields();
        foreach (var entry in call.List(0))
        {
            var pair = ComponentCall.ItemsOf(entry);
            if (pair.Length != 2)
                throw ComponentCall.WrongType();
            if (Append(call, fields, ComponentCall.TextOf(pair[0]), ComponentCall.BytesOf(pair[1])) is { } error)
            {
                call.Return(Failed(error));
                return;
            }
        }
        call.Return(Values.Ok(Own(call, fields)));
    }

    [ComponentFunction(Types, "[method]fields.get")]
    public static void Get(in ComponentCall call)
    {
        var fields = Borrowed(call);
        call.Return(Values.List([.. fields.ValuesOf(call.Text(1)).Select(static value => Values.Bytes(value))]));
    }

    [ComponentFunction(Types, "[method]fields.has")]
    public static void Has(in ComponentCall call)
    {
        var fields = Borrowed(call);
        call.Return(Values.Bool(fields.ValuesOf(call.Text(1)).Any()));
    }

    [ComponentFunction(Types, "[method]fields.set")]
    public static void Set(in ComponentCall call)
    {
        var fields = Borrowed(call);
        var name = call.Text(1);
        var error = fields.Delete(name);
        foreach (var value in call.List(2))
            error ??= Append(call, fields, name, ComponentCall.BytesOf(value));
        call.Return(Result(error));
    }

    [ComponentFunction(Types, "[method]fields.delete")]
    public static void Delete(in ComponentCall call)
    {
        var fields = Borrowed(call);
        call.Return(Result(fields.Delete(call.Text(1))));
    }

    [ComponentFunction(Types, "[method]fields.append")]
    public static void Append(in ComponentCall call)
    {
        var fields = Borrowed(call);
        call.Return(Result(Append(call, fields, call.Text(1), call.Bytes(2))));
    }

    [ComponentFunction(Types, "[method]fields.entries")]
    public static void Entries(in ComponentCall call)
    {
        var entries = Borrowed(call).Entries;
        var pairs = new ComponentValue[entries.Count];
        for (var index = 0; index < pairs.Length; index++)
            pairs[index] = Values.Tuple(Values.Text(entries[index].Name), Values.Bytes(entries[index].Value));
        call.Return(Values.List(pairs));
    }

    [ComponentFunction(Types, "[method]fields.clone")]
    public static void Clone(in ComponentCall call)
    {
        var copy = Borrowed(call).Clone();
        ComponentProcess.Of(call).Keep(copy.Length);
        call.Return(Own(call, copy));
    }

    /// <summary>Gives the guest headers that a request or a response has.</summary>
    public static ComponentValue Own(in ComponentCall call, HttpFields fields) =>
        ComponentProcess.Of(call).New(call, WasiResource.Fields, fields);

    private static string? Append(in ComponentCall call, HttpFields fields, string name, byte[] value)
    {
        var before = fields.Length;
        var error = fields.Append(name, value);
        ComponentProcess.Of(call).Keep(fields.Length - before);
        return error;
    }

    private static HttpFields Borrowed(in ComponentCall call) => ComponentProcess.Of(call).Borrowed<HttpFields>(call, 0);

    private static ComponentValue Result(string? error) => error is null ? Values.Ok() : Failed(error);

    private static ComponentValue Failed(string error) => Values.Error(Values.Variant(error));
}
