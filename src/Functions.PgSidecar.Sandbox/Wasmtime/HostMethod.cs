using System.Reflection;
using System.Runtime.CompilerServices;

namespace Functions.PgSidecar.Sandbox.Wasmtime;

/// <summary>
/// A host function that is a static method: its parameters are <c>int</c>, <c>long</c>, <c>float</c> or <c>double</c>, followed by the
/// calling <see cref="Instance"/>; its result is an <c>int</c> or nothing.
/// </summary>
internal sealed unsafe class HostMethod : HostFunction
{
    private readonly nint code;
    private readonly Signature signature;

    public HostMethod(MethodInfo method)
        : base(TypeOf(method))
    {
        signature = Enum.TryParse<Signature>(Type.Replace(":", "To", StringComparison.Ordinal), out var known)
            ? known
            : throw new ArgumentException($"{nameof(HostMethod)} has no call of the type {Type} yet, which {method.Name} needs.");
        RuntimeHelpers.PrepareMethod(method.MethodHandle);
        code = method.MethodHandle.GetFunctionPointer();
    }

    /// <summary>The types that there is a call for, as <see cref="HostFunction.Type"/> writes them.</summary>
    private enum Signature
    {
        To,
        Toi,
        iTo,
        ITo,
        fTo,
        FTo,
        iiiTo,
        iToi,
        iiToi,
        iiiToi,
        iiiiToi,
        iiiiiToi,
        iiiiiiToi,
        iiiiiiiToi,
        iIiToi,
        iIiiToi,
        iIIiToi,
        iIIToi,
        iIToi,
        iiiIiToi,
        iiiiIIiToi,
        iiiiiIIiiToi,
    }

    /// <inheritdoc/>
    public override void Invoke(RawValue* v, Instance on)
    {
        switch (signature)
        {
            case Signature.To:
                ((delegate* <Instance, void>)code)(on);
                return;
            case Signature.iTo:
                ((delegate* <int, Instance, void>)code)(v[0].I32, on);
                return;
            case Signature.ITo:
                ((delegate* <long, Instance, void>)code)(v[0].I64, on);
                return;
            case Signature.fTo:
                ((delegate* <float, Instance, void>)code)(v[0].F32, on);
                return;
            case Signature.FTo:
                ((delegate* <double, Instance, void>)code)(v[0].F64, on);
                return;
            case Signature.iiiTo:
                ((delegate* <int, int, int, Instance, void>)code)(v[0].I32, v[1].I32, v[2].I32, on);
                return;
            default:
                v[0].I64 = (uint)Result(v, on);
                return;
        }
    }

    private int Result(RawValue* v, Instance on) =>
        signature switch
        {
            Signature.Toi => ((delegate* <Instance, int>)code)(on),
            Signature.iToi => ((delegate* <int, Instance, int>)code)(v[0].I32, on),
            Signature.iiToi => ((delegate* <int, int, Instance, int>)code)(v[0].I32, v[1].I32, on),
            Signature.iiiToi => ((delegate* <int, int, int, Instance, int>)code)(v[0].I32, v[1].I32, v[2].I32, on),
            Signature.iiiiToi => ((delegate* <int, int, int, int, Instance, int>)code)(v[0].I32, v[1].I32, v[2].I32, v[3].I32, on),
            Signature.iiiiiToi => ((delegate* <int, int, int, int, int, Instance, int>)code)(
                v[0].I32,
                v[1].I32,
                v[2].I32,
                v[3].I32,
                v[4].I32,
                on
            ),
            Signature.iiiiiiToi => ((delegate* <int, int, int, int, int, int, Instance, int>)code)(
                v[0].I32,
                v[1].I32,
                v[2].I32,
                v[3].I32,
                v[4].I32,
                v[5].I32,
                on
            ),
            Signature.iiiiiiiToi => ((delegate* <int, int, int, int, int, int, int, Instance, int>)code)(
                v[0].I32,
                v[1].I32,
                v[2].I32,
                v[3].I32,
                v[4].I32,
                v[5].I32,
                v[6].I32,
                on
            ),
            Signature.iIiToi => ((delegate* <int, long, int, Instance, int>)code)(v[0].I32, v[1].I64, v[2].I32, on),
            Signature.iIiiToi => ((delegate* <int, long, int, int, Instance, int>)code)(v[0].I32, v[1].I64, v[2].I32, v[3].I32, on),
            Signature.iIIiToi => ((delegate* <int, long, long, int, Instance, int>)code)(v[0].I32, v[1].I64, v[2].I64, v[3].I32, on),
            Signature.iIIToi => ((delegate* <int, long, long, Instance, int>)code)(v[0].I32, v[1].I64, v[2].I64, on),
            Signature.iIToi => ((delegate* <int, long, Instance, int>)code)(v[0].I32, v[1].I64, on),
            Signature.iiiIiToi => ((delegate* <int, int, int, long, int, Instance, int>)code)(
                v[0].I32,
                v[1].I32,
                v[2].I32,
                v[3].I64,
                v[4].I32,
                on
            ),
            Signature.iiiiIIiToi => ((delegate* <int, int, int, int, long, long, int, Instance, int>)code)(
                v[0].I32,
                v[1].I32,
                v[2].I32,
                v[3].I32,
                v[4].I64,
                v[5].I64,
                v[6].I32,
                on
            ),
            Signature.iiiiiIIiiToi => ((delegate* <int, int, int, int, int, long, long, int, int, Instance, int>)code)(
                v[0].I32,
                v[1].I32,
                v[2].I32,
                v[3].I32,
                v[4].I32,
                v[5].I64,
                v[6].I64,
                v[7].I32,
                v[8].I32,
                on
            ),
            _ => throw new InvalidOperationException("The call has no result."),
        };

    private static string TypeOf(MethodInfo method)
    {
        var parameters = method.GetParameters();
        if (parameters[^1].ParameterType != typeof(Instance))
            throw new ArgumentException($"The last parameter of {method.Name} must be the instance.");
        return string.Concat(parameters[..^1].Select(parameter => KindOf(parameter.ParameterType))) + ":" + KindOf(method.ReturnType);
    }

    private static string KindOf(Type type) =>
        type == typeof(int) ? "i"
        : type == typeof(long) ? "I"
        : type == typeof(float) ? "f"
        : type == typeof(double) ? "F"
        : type == typeof(void) ? ""
        : throw new ArgumentException($"Host functions take no {type.Name}.");
}
