namespace BlockRepl.Core.Resource;

/// <summary>What can stand in a <see cref="LinkedRequests{T}"/>: it has the links itself.</summary>
internal interface ILinkedRequest<T>
    where T : class
{
    T? Next { get; set; }

    T? Previous { get; set; }
}

/// <summary>
/// Requests in the order of their arrival; adding and removing allocate nothing. A request stands in one such list at
/// most.
/// </summary>
internal sealed class LinkedRequests<T>
    where T : class, ILinkedRequest<T>
{
    private T? _last;

    public T? First { get; private set; }

    public int Count { get; private set; }

    public void Add(T request)
    {
        request.Previous = _last;
        if (_last is null)
        {
            First = request;
        }
        else
        {
            _last.Next = request;
        }

        _last = request;
        Count++;
    }

    public void Remove(T request)
    {
        if (request.Previous is null)
        {
            First = request.Next;
        }
        else
        {
            request.Previous.Next = request.Next;
        }

        if (request.Next is null)
        {
            _last = request.Previous;
        }
        else
        {
            request.Next.Previous = request.Previous;
        }

        request.Next = request.Previous = null;
        Count--;
    }
}
