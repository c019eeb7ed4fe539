"""Finds the app that a name such as "module:attribute" or "module:factory(debug=True)" stands for."""
import ast
import functools
import importlib
import inspect
import os
import sys
import traceback


class StartError(Exception):
    """Why the worker cannot start, in one line."""


def load(name):
    """The app. StartError says why there is none; SystemExit that the program itself raises passes."""
    module_name, _, expression = name.partition(":")
    if not module_name or not all(part.isidentifier() for part in module_name.split(".")):
        raise StartError(f'"{name}" names no app: expected MODULE:ATTRIBUTE or MODULE:FACTORY()')
    attribute, call = _parse(expression or "application", name)
    app = _import(module_name)
    for part in attribute.split("."):
        try:
            app = getattr(app, part)
        except AttributeError:
            raise StartError(f'module "{module_name}" ({_file_of(sys.modules[module_name])}) has no attribute '
                             f'"{attribute}"') from None
    if call is not None:
        app = _call(app, attribute, *call)
    elif not callable(app):
        raise StartError(f'"{name}" is not a WSGI app: a {type(app).__name__} cannot be called')
    if _is_asgi(app):
        raise StartError(f'"{name}" is an ASGI app, not a WSGI app: mount it as asgi: (mount_asgi)')
    if call is None and _is_factory(app):
        raise StartError(f'"{name}" is not a WSGI app: it does not take an environ and a start_response. '
                         f'If it is a factory, write "{name}()"')
    return app


def _parse(expression, name):
    """ "a.b" -> ("a.b", None), "make(1, debug=True)" -> ("make", ([1], {"debug": True}))"""
    try:
        node = ast.parse(expression, mode="eval").body
        if not isinstance(node, ast.Call):
            return _dotted(node), None
        if any(word.arg is None for word in node.keywords):
            raise ValueError
        return _dotted(node.func), ([ast.literal_eval(value) for value in node.args],
                                    {word.arg: ast.literal_eval(word.value) for word in node.keywords})
    except (SyntaxError, ValueError):
        raise StartError(f'"{expression}" in "{name}" is neither an attribute nor a call of one with literal '
                         "arguments") from None


def _dotted(node):
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    if isinstance(node, ast.Name):
        return node.id
    raise ValueError


def _import(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise StartError(f'there is no module "{error.name}" in {os.getcwd()} (the app\'s folder) or on the path '
                             f"of {sys.executable}") from None
        _fail(f'cannot import "{name}"', error)
    except Exception as error:
        _fail(f'cannot import "{name}"', error)


def _call(factory, attribute, positional, named):
    if not callable(factory):
        raise StartError(f'"{attribute}" is no factory: a {type(factory).__name__} cannot be called')
    try:
        app = factory(*positional, **named)
    except Exception as error:
        _fail(f'the factory "{attribute}" failed', error)
    if inspect.iscoroutine(app):
        app.close()
        raise StartError(f'the factory "{attribute}" is a coroutine function: it must return the app itself')
    if not callable(app):
        raise StartError(f'the factory "{attribute}" returned no WSGI app: a {type(app).__name__} cannot be called')
    return app


def _fail(what, error):
    """Prints the traceback from the program's first frame on."""
    frames = error.__traceback__
    while frames and _is_ours(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)
    raise StartError(f"{what}: {type(error).__name__}: {error}") from None


def _is_ours(file):
    return file == __file__ or file == importlib.__file__ or file.startswith("<frozen importlib")


def _file_of(module):
    return getattr(module, "__file__", None) or "built in"


def _is_asgi(app):
    while isinstance(app, functools.partial):
        app = app.func
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(type(app), "__call__", None))


def _is_factory(app):
    """Whether it is a function that cannot be called with an environ and a start_response."""
    if not inspect.isfunction(app):
        return False
    try:
        inspect.signature(app).bind(None, None)
    except TypeError:
        return True
    except ValueError:  # it has no signature
        return False
    return False
