using System.Text;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// Creates values for components. What they point to is allocated by Wasmtime, which frees it with the value: create a value only where
/// nothing fails before it is returned, and use it once.
/// </summary>
internal static unsafe class ComponentValues
{
    /// <summary>No value of an option.</summary>
    public static ComponentValue None => new() { Kind = ComponentKind.Option };

    public static ComponentValue Bool(bool value) => new() { Kind = ComponentKind.Bool, U8 = value ? (byte)1 : (byte)0 };

    public static ComponentValue U8(byte value) => new() { Kind = ComponentKind.U8, U8 = value };

    public static ComponentValue U16(ushort value) => new() { Kind = ComponentKind.U16, U16 = value };

    public static ComponentValue U32(uint value) => new() { Kind = ComponentKind.U32, U32 = value };

    public static ComponentValue U64(ulong value) => new() { Kind = ComponentKind.U64, U64 = value };

    public static ComponentValue Text(string value) => new() { Kind = ComponentKind.Text, Name = NewName(value) };

    /// <summary>A case of an enumeration.</summary>
    public static ComponentValue Enum(string name) => new() { Kind = ComponentKind.Enum, Name = NewName(name) };

    /// <summary>A case of a variant.</summary>
    public static ComponentValue Variant(string name, ComponentValue? value = null) =>
        new()
        {
            Kind = ComponentKind.Variant,
            Name = NewName(name),
            CaseValue = Boxed(value),
        };

    /// <summary>A value of an option.</summary>
    public static ComponentValue Some(ComponentValue value) => new() { Kind = ComponentKind.Option, Option = Boxed(value) };

    /// <summary>The success of a result.</summary>
    public static ComponentValue Ok(ComponentValue? value = null) =>
        new()
        {
            Kind = ComponentKind.Result,
            IsOk = 1,
            ResultValue = Boxed(value),
        };

    /// <summary>The failure of a result.</summary>
    public static ComponentValue Error(ComponentValue? value = null) => new() { Kind = ComponentKind.Result, ResultValue = Boxed(value) };

    public static ComponentValue List(params ReadOnlySpan<ComponentValue> items)
    {
        ComponentNative.wasmtime_component_vallist_new_uninit(out var list, (nuint)items.Length);
        items.CopyTo(new Span<ComponentValue>((void*)list.Data, items.Length));
        return new ComponentValue { Kind = ComponentKind.List, Items = list };
    }

    /// <summary>A list of bytes. Each takes 32 bytes of native memory: pass few at a time.</summary>
    public static ComponentValue Bytes(ReadOnlySpan<byte> bytes)
    {
        ComponentNative.wasmtime_component_vallist_new_uninit(out var list, (nuint)bytes.Length);
        var items = new Span<ComponentValue>((void*)list.Data, bytes.Length);
        for (var index = 0; index < items.Length; index++)
            items[index] = U8(bytes[index]);
        return new ComponentValue { Kind = ComponentKind.List, Items = list };
    }

    public static ComponentValue Tuple(params ReadOnlySpan<ComponentValue> items)
    {
        ComponentNative.wasmtime_component_valtuple_new_uninit(out var tuple, (nuint)items.Length);
        items.CopyTo(new Span<ComponentValue>((void*)tuple.Data, items.Length));
        return new ComponentValue { Kind = ComponentKind.Tuple, Items = tuple };
    }

    public static ComponentValue Record(params ReadOnlySpan<(string Name, ComponentValue Value)> fields)
    {
        ComponentNative.wasmtime_component_valrecord_new_uninit(out var record, (nuint)fields.Length);
        var items = new Span<ComponentField>((void*)record.Data, fields.Length);
        for (var index = 0; index < items.Length; index++)
            items[index] = new ComponentField { Name = NewName(fields[index].Name), Value = fields[index].Value };
        return new ComponentValue { Kind = ComponentKind.Record, Items = record };
    }

    /// <summary>Frees what a value points to.</summary>
    public static void Delete(ref ComponentValue value)
    {
        fixed (ComponentValue* pointer = &value)
            ComponentNative.wasmtime_component_val_delete(pointer);
        value = default;
    }

    private static nint Boxed(ComponentValue? value)
    {
        if (value is not { } present)
            return 0;
        return ComponentNative.wasmtime_component_val_new(&present);
    }

    private static ByteVector NewName(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        fixed (byte* start = bytes)
        {
            ComponentNative.wasm_byte_vec_new(out var name, (nuint)bytes.Length, start);
            return name;
        }
    }
}
